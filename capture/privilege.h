/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the recorder may do on this machine, the command that lets it do more, and how it keeps its
 * real-time priority from starving the machine.
 */
#ifndef KMLAB_CAPTURE_PRIVILEGE_H
#define KMLAB_CAPTURE_PRIVILEGE_H

#include <kmlab/types.h>

/* Is this capability (linux/capability.h) in effect? */
bool km_has_capability(unsigned capability);

/*
 * The command that gives this program's file the capabilities that recording needs, with the
 * path it was started from. The text stays the callee's.
 */
const char *km_setcap_command(void);
/* The same with cap_dac_read_search, which lets it read what only root may. */
const char *km_setcap_command_reading(void);

/* Put capabilities out of effect, and back in: what may this user do without them? */
void km_suspend_capabilities(bool suspend);
/* In a child, before it executes a command: that gets no capability from this program. */
void km_drop_capabilities(void);

/* ---- a share of one CPU ---- */

#define KM_SHARE_WINDOW_NS 50000000ull

/* Keeps a thread below `percent` of one CPU, measured over windows of KM_SHARE_WINDOW_NS. */
struct km_share {
	unsigned percent; /* 1 to 100 */
	uint64_t began_ns, cpu_began_ns;
};

/* A window begins. now_ns: a clock; cpu_ns: the CPU time of the thread so far. */
void km_share_begin(struct km_share *share, uint64_t now_ns, uint64_t cpu_ns);
/*
 * 0, or how long the thread has to stand back until it had no more than its share of the time since
 * the window began; then the caller begins a window. Windows that end within the share follow one
 * another by themselves.
 */
uint64_t km_share_owed_ns(struct km_share *share, uint64_t now_ns, uint64_t cpu_ns);

/* ---- real-time priority ---- */

struct km_realtime {
	struct km_share share;
	uint64_t stand_back_until_ns; /* 0: at real-time priority */
	uint64_t stood_back_ns;       /* in total */
	bool begun;
};

/*
 * SCHED_FIFO 1 for this thread, not for its children, and never more than a share of one CPU at
 * that priority: 70 %, on a machine with one CPU 50 %. -errno: not permitted, which
 * km_realtime_remedy() explains.
 */
int km_realtime_begin(struct km_realtime *realtime);
/*
 * Call it at least every few milliseconds of work: past its share the thread goes on at normal
 * priority, where the scheduler looks after the others, until it is even.
 */
void km_realtime_pace(struct km_realtime *realtime);
void km_realtime_end(struct km_realtime *realtime);
/* Why km_realtime_begin() said -errno and what to do. The text stays the callee's. */
const char *km_realtime_remedy(int error);

#endif
