// SPDX-License-Identifier: GPL-2.0-only
/*
 * What devm_kzalloc() and its kin allocate belongs to the device: it is freed when the driver
 * leaves it, newest first, and also when probe fails half-way. The kernel keeps 40 bytes for that
 * in front of each, which the call's size shows.
 */
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

struct example {
	char *name;
	u32 *samples;
};

static struct platform_device *device;

static void switch_off(void *data)
{
	pr_info("switched off, the samples are still there: %d\n",
		((struct example *)data)->samples[0]);
}

static int example_probe(struct platform_device *pdev)
{
	struct example *example = devm_kzalloc(&pdev->dev, sizeof(*example), GFP_KERNEL);

	if (!example)
		return -ENOMEM;
	example->name = devm_kstrdup(&pdev->dev, "example", GFP_KERNEL);
	example->samples = devm_kcalloc(&pdev->dev, 100, sizeof(u32), GFP_KERNEL);
	if (!example->name || !example->samples)
		return -ENOMEM;
	example->samples[0] = 17;
	platform_set_drvdata(pdev, example);
	return devm_add_action_or_reset(&pdev->dev, switch_off, example);
}

static struct platform_driver driver = {
	.probe = example_probe,
	.driver = {.name = "example", .owner = THIS_MODULE},
};

static int __init example_init(void)
{
	int ret = platform_driver_register(&driver);

	if (ret)
		return ret;
	device = platform_device_register_simple("example", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device)) {
		platform_driver_unregister(&driver);
		return PTR_ERR(device);
	}
	dev_info(&device->dev, "%s\n", ((struct example *)platform_get_drvdata(device))->name);
	return 0;
}

static void __exit example_exit(void)
{
	platform_device_unregister(device);
	platform_driver_unregister(&driver);
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("driver_platform");
