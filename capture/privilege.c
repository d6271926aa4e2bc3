/* SPDX-License-Identifier: GPL-2.0-only */
/* capabilities(7), sched(7). */
#include "privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "results/term.h"

#define SHARE_PERCENT 70
#define SHARE_PERCENT_ONE_CPU 50

/* ---- capabilities ---- */

struct capabilities {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

static struct capabilities get_capabilities(void)
{
	struct capabilities own = {.header.version = _LINUX_CAPABILITY_VERSION_3};

	syscall(SYS_capget, &own.header, own.data); /* does not fail: our own, a known version */
	return own;
}

bool km_has_capability(unsigned capability)
{
	struct capabilities own = get_capabilities();

	return own.data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

void km_suspend_capabilities(bool suspend)
{
	struct capabilities own = get_capabilities();

	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		own.data[i].effective = suspend ? 0 : own.data[i].permitted;
	syscall(SYS_capset, &own.header, own.data);
}

void km_drop_capabilities(void)
{
	struct capabilities own = get_capabilities();

	/* An ambient capability is also an inheritable one: this ends both. */
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		own.data[i].inheritable = 0;
	syscall(SYS_capset, &own.header, own.data);
}

/* For a shell: in quotes unless it is plain. */
static void quote_path(const char *path, char *text, size_t room)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/._-+,:@%";
	bool quoted = path[strspn(path, plain)] != '\0';
	size_t used = 0;

	if (quoted)
		text[used++] = '\'';
	for (; *path && used + 6 < room; path++) {
		if (*path == '\'')
			used += (size_t)snprintf(text + used, room - used, "'\\'");
		text[used++] = *path;
	}
	if (quoted)
		text[used++] = '\'';
	text[used] = '\0';
}

static const char *setcap_command(const char *more)
{
	static char command[8192];
	char path[4096], quoted[4200];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[length > 0 ? length : 0] = '\0';
	quote_path(length > 0 ? path : "kmlab-capture", quoted, sizeof(quoted));
	snprintf(command, sizeof(command),
		 "sudo setcap cap_bpf,cap_perfmon,cap_sys_nice,cap_syslog%s+ep %s", more, quoted);
	return command;
}

const char *km_setcap_command(void)
{
	return setcap_command("");
}

const char *km_setcap_command_reading(void)
{
	return setcap_command(",cap_dac_read_search");
}

/* ---- a share of one CPU ---- */

void km_share_begin(struct km_share *share, uint64_t now_ns, uint64_t cpu_ns)
{
	share->began_ns = now_ns;
	share->cpu_began_ns = cpu_ns;
}

uint64_t km_share_owed_ns(struct km_share *share, uint64_t now_ns, uint64_t cpu_ns)
{
	uint64_t elapsed = now_ns - share->began_ns;
	uint64_t used = cpu_ns - share->cpu_began_ns;
	uint64_t due = (used * 100 + share->percent - 1) / share->percent;

	if (due > KM_SHARE_WINDOW_NS && due > elapsed)
		return due - elapsed;
	if (elapsed >= KM_SHARE_WINDOW_NS)
		km_share_begin(share, now_ns, cpu_ns);
	return 0;
}

/* ---- real-time priority ---- */

static uint64_t thread_cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

static int set_policy(int policy)
{
	struct sched_param priority = {.sched_priority = policy == SCHED_FIFO};

	return sched_setscheduler(0, policy | SCHED_RESET_ON_FORK, &priority) ? -errno : 0;
}

int km_realtime_begin(struct km_realtime *realtime)
{
	bool one_cpu = sysconf(_SC_NPROCESSORS_ONLN) == 1;
	int ret = set_policy(SCHED_FIFO);

	*realtime = (struct km_realtime){
		.share.percent = one_cpu ? SHARE_PERCENT_ONE_CPU : SHARE_PERCENT,
		.begun = !ret,
	};
	km_share_begin(&realtime->share, km_clock_ns(), thread_cpu_ns());
	return ret;
}

void km_realtime_pace(struct km_realtime *realtime)
{
	uint64_t now = km_clock_ns(), owed;

	if (!realtime->begun || now < realtime->stand_back_until_ns)
		return;
	if (realtime->stand_back_until_ns) {
		set_policy(SCHED_FIFO);
		realtime->stand_back_until_ns = 0;
		km_share_begin(&realtime->share, now, thread_cpu_ns());
		return;
	}
	owed = km_share_owed_ns(&realtime->share, now, thread_cpu_ns());
	if (!owed || set_policy(SCHED_OTHER))
		return;
	realtime->stand_back_until_ns = now + owed;
	realtime->stood_back_ns += owed;
}

void km_realtime_end(struct km_realtime *realtime)
{
	if (realtime->begun)
		set_policy(SCHED_OTHER);
	realtime->begun = false;
}

const char *km_realtime_remedy(int error)
{
	static char text[8400];

	/* Permitted, and yet refused: a control group without real-time runtime (RT_GROUP_SCHED).
	 */
	if (error == -EPERM && km_has_capability(CAP_SYS_NICE))
		return "this control group has no real-time runtime; give it some "
		       "(cpu.rt_runtime_us) or run outside of it";
	if (error == -EPERM)
		snprintf(text, sizeof(text), "run it as root, or once: %s", km_setcap_command());
	else
		snprintf(text, sizeof(text), "the kernel says: %s", strerror(-error));
	return text;
}
