/* SPDX-License-Identifier: GPL-2.0-only */
/* Functions of power states: nothing sleeps here, so none is called. */
#ifndef _LINUX_PM_H
#define _LINUX_PM_H

struct device;
typedef int (*kmlab_pm_call)(struct device *);
struct dev_pm_ops {
	int (*prepare)(struct device *);
	void (*complete)(struct device *);
	kmlab_pm_call suspend, resume, freeze, thaw, poweroff, restore, suspend_late, resume_early,
		freeze_late, thaw_early, poweroff_late, restore_early, suspend_noirq, resume_noirq,
		runtime_suspend, runtime_resume, runtime_idle;
};
#define SET_SYSTEM_SLEEP_PM_OPS(suspend_, resume_)                                                 \
	.suspend = suspend_, .resume = resume_, .freeze = suspend_, .thaw = resume_,               \
	.poweroff = suspend_, .restore = resume_,
#define SET_RUNTIME_PM_OPS(suspend_, resume_, idle_)                                               \
	.runtime_suspend = suspend_, .runtime_resume = resume_, .runtime_idle = idle_,
#define SIMPLE_DEV_PM_OPS(name, suspend_, resume_)                                                 \
	const struct dev_pm_ops name = {SET_SYSTEM_SLEEP_PM_OPS(suspend_, resume_)}
#define DEFINE_SIMPLE_DEV_PM_OPS SIMPLE_DEV_PM_OPS
#define pm_ptr(p) (p)
#define pm_sleep_ptr(p) (p)

#endif
