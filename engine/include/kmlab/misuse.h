/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules that callers of the kernel's allocators can break: one list of words for everything
 * that finds such calls. Sources: Documentation/core-api/memory-allocation.rst, mm/slub.c,
 * mm/vmalloc.c, Documentation/mm/slub.rst.
 */
#ifndef KMLAB_MISUSE_H
#define KMLAB_MISUSE_H

/* X(constant, name, what was seen, what to do) */
#define KM_RULES(X)                                                                                \
	X(KM_RULE_NONE, "", "", "")                                                                \
	X(KM_RULE_DOUBLE_FREE, "double_free", "double free", "find the two owners of the object")  \
	X(KM_RULE_INVALID_FREE, "invalid_free", "free of a pointer that no allocation returned",   \
	  "free what the allocation returned, and nothing else")                                   \
	X(KM_RULE_INTERIOR_FREE, "interior_free", "free of a pointer into a live object",          \
	  "free the pointer that the allocation returned")                                         \
	X(KM_RULE_WRONG_CACHE, "wrong_cache", "wrong cache",                                       \
	  "free into the cache of the allocation")                                                 \
	X(KM_RULE_WRONG_FREE, "wrong_free", "freed with the wrong function",                       \
	  "kmalloc goes with kfree, vmalloc with vfree, alloc_pages with __free_pages, kvmalloc "  \
	  "with kvfree")                                                                           \
	X(KM_RULE_WRONG_ORDER, "wrong_order", "wrong order", "free the order that was allocated")  \
	X(KM_RULE_SLEEPING_FLAG, "sleeping_flag", "sleeping flag in atomic context",               \
	  "ask with GFP_ATOMIC or GFP_NOWAIT there, or allocate before")                           \
	X(KM_RULE_SLEEPING_CALL, "sleeping_call", "sleeping function in atomic context",           \
	  "call it from process context without locks held, or from a work item")                  \
	X(KM_RULE_IN_INTERRUPT, "in_interrupt", "not allowed in an interrupt",                     \
	  "do it before, or from a work item")                                                     \
	X(KM_RULE_SLAB_FLAGS, "slab_flags", "slab memory cannot be high or 32-bit memory",         \
	  "drop the flag, or use alloc_pages()")                                                   \
	X(KM_RULE_OUT_OF_BOUNDS, "out_of_bounds", "access outside an object",                      \
	  "ask for as many bytes as are used, and check indexes")                                  \
	X(KM_RULE_USE_AFTER_FREE, "use_after_free", "use after free",                              \
	  "clear the pointer when the object is freed, or free it later")                          \
	X(KM_RULE_UNINITIALISED, "uninitialised", "memory used that was never written",            \
	  "allocate it with kzalloc(), or write it first")                                         \
	X(KM_RULE_CACHE_BUSY, "cache_busy", "cache destroyed with objects in use",                 \
	  "free every object first")                                                               \
	X(KM_RULE_BAD_ARGUMENT, "bad_argument", "argument outside its range",                      \
	  "see the function's documentation")                                                      \
	X(KM_RULE_RESOURCE, "resource", "something other than memory was left behind",             \
	  "release it in the exit function, and on every error path")                              \
	X(KM_RULE_REFERENCE, "reference", "reference count used against its rules",                \
	  "give each reference back once: a put for a get, and one for the creation")              \
	X(KM_RULE_LOCKING, "locking", "lock used against its rules",                               \
	  "give every lock back, once, on every path")                                             \
	X(KM_RULE_OOPS, "oops", "the module crashed", "check pointers before they are followed")   \
	X(KM_RULE_DIVISION, "division", "division by zero", "check the divisor before it is used") \
	X(KM_RULE_CHECK, "failed_check", "a check failed",                                         \
	  "find what made it fail: it lies before this line")                                      \
	X(KM_RULE_LOCKUP, "lockup", "the CPU is never let go",                                     \
	  "end the loop, or sleep in it: msleep(), cond_resched(), wait_event()")                  \
	X(KM_RULE_LEAK, "leak", "never freed",                                                     \
	  "free it in the exit function, and on every error path")

enum km_rule {
#define X(constant, name, seen, advice) constant,
	KM_RULES(X)
#undef X
		KM_NR_RULES
};

struct km_rule_text {
	const char *name, *seen, *advice;
};

static inline const struct km_rule_text *km_rule_text(enum km_rule rule)
{
	static const struct km_rule_text texts[KM_NR_RULES] = {
#define X(constant, name, seen, advice) [constant] = {name, seen, advice},
		KM_RULES(X)
#undef X
	};
	return &texts[rule];
}

#endif
