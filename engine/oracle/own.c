/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the slab layer allocates for itself while a program's calls are executed: sheaves, barns and
 * the vectors of memory cgroups. Each is a kmalloc that the tracepoint shows.
 */
#include <linux/gfp.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <trace/events/kmem.h>

#include "oracle.h"

#define KINDS 64
#define PENDING 512
#define WARM 8 /* objects of each kmalloc class */

struct kind {
	size_t bytes;
	gfp_t gfp;
	unsigned long count;
};
static struct kind kinds[KINDS], pending[PENDING]; /* pending: of the call that is executed */
static unsigned int nr_kinds, nr_pending;
static unsigned long frees, missed;
static bool watched, freed;        /* freed: in this call */
static struct task_struct *caller; /* whose events are the program's */

/* An interrupt's are not the call's, nor those of other CPUs, which wait for their turn. */
static bool is_ours(void)
{
	return current == READ_ONCE(caller) && !in_interrupt();
}

/* Bytes of a sheaf for the objects of a kmalloc class; 0 where the classes have none. */
static size_t class_sheaf(size_t bytes)
{
	if (LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0))
		return 0;
	return bytes > 2048 ? 64 : bytes > 512 ? 128 : bytes > 192 ? 256 : 512;
}

/*
 * What a call needs of a kmalloc class shall be there before it, so that the class needs no sheaf
 * for that: where a sheaf of the program's is followed by a request of such a class with the same
 * flags, as that of a vector is, none could tell whose it was.
 */
void oracle_own_warm(void)
{
	static const size_t classes[] = {8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048};
	void *objects[WARM];

	for (unsigned int n = 0; n < ARRAY_SIZE(classes); n++) {
		if (!class_sheaf(classes[n]))
			return;
		for (unsigned int i = 0; i < WARM; i++)
			objects[i] = kmalloc(classes[n], GFP_NOWAIT | __GFP_NOWARN);
		for (unsigned int i = 0; i < WARM; i++)
			kfree(objects[i]);
	}
}

static void saw_kmalloc(void *unused, unsigned long site, const void *object, size_t bytes,
			size_t bytes_alloc, gfp_t gfp, int node)
{
	const struct kind now = {bytes, gfp, 1};

	/* After a kfree it is a sheaf for the class that takes the object back. */
	if (!is_ours() || (freed && class_sheaf(bytes)))
		return;
	if (nr_pending < PENDING)
		pending[nr_pending++] = now;
	else
		missed++;
}

static void saw_kfree(void *unused, unsigned long site, const void *object)
{
	if (!is_ours() || !object)
		return;
	frees++;
	freed = true;
}

static void count(const struct kind *one)
{
	unsigned int i = 0;

	while (i < nr_kinds && (kinds[i].bytes != one->bytes || kinds[i].gfp != one->gfp))
		i++;
	if (i == KINDS) {
		missed++;
		return;
	}
	if (i == nr_kinds)
		kinds[nr_kinds++] = (struct kind){one->bytes, one->gfp, 0};
	kinds[i].count++;
}

int oracle_own_init(void)
{
	int ret = register_trace_kmalloc(saw_kmalloc, NULL);

	if (ret)
		return ret;
	ret = register_trace_kfree(saw_kfree, NULL);
	if (ret)
		unregister_trace_kmalloc(saw_kmalloc, NULL);
	watched = !ret;
	return ret;
}

void oracle_own_exit(void)
{
	if (!watched)
		return;
	unregister_trace_kfree(saw_kfree, NULL);
	unregister_trace_kmalloc(saw_kmalloc, NULL);
	tracepoint_synchronize_unregister();
}

void oracle_own_watch(int on)
{
	WRITE_ONCE(caller, on ? current : NULL);
	for (unsigned int i = 0; i < nr_pending; i++)
		count(&pending[i]);
	nr_pending = 0;
	freed = false;
}

void oracle_print_own(struct oracle_text *text, int sleeps)
{
	for (unsigned int i = 0; i < nr_kinds; i++) {
		oracle_print(text, "own %zu ", kinds[i].bytes);
		oracle_print_gfp(text, (__force unsigned long)kinds[i].gfp);
		oracle_print(text, " %lu\n", kinds[i].count);
	}
	if (!sleeps) /* else workers do some of it */
		oracle_print(text, "own kfree %lu\n", frees);
	if (missed)
		oracle_print(text, "# %lu more of other kinds\n", missed);
}
