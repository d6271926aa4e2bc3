// SPDX-License-Identifier: GPL-2.0-only
/*
 * A character device as simple drivers are: a buffer per open file, copies to and from user space
 * under a mutex, class and device created, all of it undone. Run with --files: it is opened,
 * written to, read from and closed.
 */
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define ROOM 512

struct session {
	struct mutex lock;
	char *buffer;
	size_t used;
};

static dev_t number;
static struct cdev cdev;
static struct class *class;

static int driver_open(struct inode *inode, struct file *file)
{
	struct session *session = kzalloc(sizeof(*session), GFP_KERNEL);

	if (!session)
		return -ENOMEM;
	session->buffer = kmalloc(ROOM, GFP_KERNEL);
	if (!session->buffer) {
		kfree(session);
		return -ENOMEM;
	}
	mutex_init(&session->lock);
	file->private_data = session;
	return 0;
}

static int driver_release(struct inode *inode, struct file *file)
{
	struct session *session = file->private_data;

	kfree(session->buffer);
	kfree(session);
	return 0;
}

static ssize_t driver_write(struct file *file, const char __user *from, size_t count, loff_t *at)
{
	struct session *session = file->private_data;
	ssize_t ret = min_t(size_t, count, ROOM);

	if (mutex_lock_interruptible(&session->lock))
		return -ERESTARTSYS;
	if (copy_from_user(session->buffer, from, ret))
		ret = -EFAULT;
	else
		session->used = ret;
	mutex_unlock(&session->lock);
	return ret;
}

static ssize_t driver_read(struct file *file, char __user *to, size_t count, loff_t *at)
{
	struct session *session = file->private_data;

	return simple_read_from_buffer(to, count, at, session->buffer, session->used);
}

static const struct file_operations fops = {
	.owner = THIS_MODULE,
	.open = driver_open,
	.release = driver_release,
	.read = driver_read,
	.write = driver_write,
};

static int __init driver_init(void)
{
	int ret = alloc_chrdev_region(&number, 0, 1, "driver_char");

	if (ret < 0)
		return ret;
	cdev_init(&cdev, &fops);
	ret = cdev_add(&cdev, number, 1);
	if (ret)
		goto out_region;
	class = class_create("driver_char");
	if (IS_ERR(class)) {
		ret = PTR_ERR(class);
		goto out_cdev;
	}
	if (IS_ERR(device_create(class, NULL, number, NULL, "driver%d", 0))) {
		ret = -EINVAL;
		goto out_class;
	}
	pr_info("major %d\n", MAJOR(number));
	return 0;

out_class:
	class_destroy(class);
out_cdev:
	cdev_del(&cdev);
out_region:
	unregister_chrdev_region(number, 1);
	return ret;
}

static void __exit driver_exit(void)
{
	device_destroy(class, number);
	class_destroy(class);
	cdev_del(&cdev);
	unregister_chrdev_region(number, 1);
}

module_init(driver_init);
module_exit(driver_exit);
MODULE_LICENSE("GPL");
