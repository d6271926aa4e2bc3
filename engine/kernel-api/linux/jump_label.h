/* SPDX-License-Identifier: GPL-2.0-only */
/* Branches that are patched into the code; here they are tests of a word. */
#ifndef _LINUX_JUMP_LABEL_H
#define _LINUX_JUMP_LABEL_H

#include <linux/atomic.h>
#include <linux/kernel.h>

struct static_key {
	atomic_t enabled;
};
struct static_key_true {
	struct static_key key;
};
struct static_key_false {
	struct static_key key;
};
#define STATIC_KEY_INIT_TRUE                                                                       \
	{                                                                                          \
		.enabled = { 1 }                                                                   \
	}
#define STATIC_KEY_INIT_FALSE                                                                      \
	{                                                                                          \
		.enabled = { 0 }                                                                   \
	}
#define DEFINE_STATIC_KEY_TRUE(name) struct static_key_true name = {STATIC_KEY_INIT_TRUE}
#define DEFINE_STATIC_KEY_FALSE(name) struct static_key_false name = {STATIC_KEY_INIT_FALSE}
#define DECLARE_STATIC_KEY_TRUE(name) extern struct static_key_true name
#define DECLARE_STATIC_KEY_FALSE(name) extern struct static_key_false name
/* The key itself, or what has one: both begin with it. */
#define KMLAB_KEY(x) ((struct static_key *)(x))
#define static_key_enabled(x) (atomic_read(&KMLAB_KEY(x)->enabled) > 0)
#define static_key_count(x) atomic_read(&KMLAB_KEY(x)->enabled)
#define static_branch_likely(x) likely(static_key_enabled(x))
#define static_branch_unlikely(x) unlikely(static_key_enabled(x))
/* Code is patched under a mutex. */
#define static_branch_enable(x) (might_sleep(), atomic_set(&KMLAB_KEY(x)->enabled, 1))
#define static_branch_disable(x) (might_sleep(), atomic_set(&KMLAB_KEY(x)->enabled, 0))
#define static_branch_inc(x) (might_sleep(), atomic_inc(&KMLAB_KEY(x)->enabled))
#define static_branch_dec(x) (might_sleep(), atomic_dec(&KMLAB_KEY(x)->enabled))
/* The older way, of a struct static_key itself. */
#define static_key_true(key) static_branch_likely(key)
#define static_key_false(key) static_branch_unlikely(key)
#define static_key_enable static_branch_enable
#define static_key_disable static_branch_disable
#define static_key_slow_inc static_branch_inc
#define static_key_slow_dec static_branch_dec

#endif
