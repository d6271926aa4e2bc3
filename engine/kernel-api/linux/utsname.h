/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_UTSNAME_H
#define _LINUX_UTSNAME_H

struct new_utsname {
	char sysname[65], nodename[65], release[65], version[65], machine[65];
};
static inline struct new_utsname *utsname(void)
{
	static struct new_utsname name = {"Linux", "kmlab", KMLAB_RELEASE, "#1", "x86_64"};

	return &name;
}
#define init_utsname utsname

#endif
