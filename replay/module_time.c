/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Simulated time and what runs in it: timers, tasklets, work, RCU callbacks, threads, interrupts.
 * Nothing runs at once: time passes only while somebody sleeps, and then what is due runs in the
 * order of its due times. Threads have stacks of their own and run while others sleep.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "replay/module_kernel.h"

#define JIFFY_NS 4000000u
#define FIRST_JIFFY 4294892296ull /* five minutes before 32 bits wrap, as Linux begins */
#define THREAD_STACK (256u << 10)
#define FOREVER_NS (3600ull * 1000000000ull)
#define TASK_BYTES 512u

struct deferred {
	struct deferred *next;
	enum kmlab_deferred kind;
	void *object;
	void (*run)(void *);
	uint64_t due_ns;
	const struct kmlab_site *site;
};

struct thread {
	struct thread *next;
	ucontext_t context, resumer;
	struct thread *outer; /* who was running when this one was resumed */
	void *stack;
	int (*run)(void *);
	void *data;
	const struct kmlab_site *site;
	char name[32];
	uint64_t wake_ns, seen_events;
	int result;
	unsigned depth[KMLAB_NR_CONTEXTS]; /* while it does not run */
	bool started, stop, done, waits;
	uint64_t task[TASK_BYTES / 8]; /* what the module sees: struct task_struct */
};

struct irq {
	struct irq *next;
	unsigned number;
	int (*handler)(int, void *);
	int (*thread)(int, void *);
	unsigned long flags;
	void *device;
	char name[32];
	const struct kmlab_site *site;
	int result;
};

static void set_time(uint64_t now_ns)
{
	km_kernel->now_ns = now_ns;
	km_kernel->jiffies = FIRST_JIFFY + now_ns / JIFFY_NS;
	km_kernel->env.time_ns = now_ns;
}

/* ---- deferred work ---- */

static struct deferred **find_deferred(enum kmlab_deferred kind, const void *object)
{
	struct deferred **link = &km_kernel->deferred;

	while (*link && ((*link)->kind != kind || (*link)->object != object))
		link = &(*link)->next;
	return link;
}

static int api_cancel(enum kmlab_deferred kind, const void *object)
{
	struct deferred **link = find_deferred(kind, object), *gone = *link;

	if (!gone)
		return 0;
	*link = gone->next;
	free(gone);
	return 1;
}

static int api_pending(enum kmlab_deferred kind, const void *object)
{
	return *find_deferred(kind, object) != NULL;
}

/* In order of due times; equal ones as they came. */
static int api_defer(const struct kmlab_site *site, enum kmlab_deferred kind, void *object,
		     void (*run)(void *), unsigned long long delay_ns)
{
	bool moves = kind == KMLAB_TIMER || kind == KMLAB_HRTIMER;
	int pending = api_pending(kind, object);
	struct deferred *fresh, **link = &km_kernel->deferred;

	if (pending && !moves)
		return 0;
	if (pending)
		api_cancel(kind, object);
	fresh = malloc(sizeof(*fresh));
	if (!fresh)
		return 0;
	*fresh = (struct deferred){NULL, kind, object, run, km_kernel->now_ns + delay_ns, site};
	while (*link && (*link)->due_ns <= fresh->due_ns)
		link = &(*link)->next;
	fresh->next = *link;
	*link = fresh;
	return !pending;
}

static void run_deferred(struct deferred *work)
{
	static const struct {
		int context;
		const char *name;
	} kinds[] = {[KMLAB_TASKLET] = {KMLAB_SOFTIRQ, "a tasklet"},
		     [KMLAB_TIMER] = {KMLAB_SOFTIRQ, "a timer's handler"},
		     [KMLAB_HRTIMER] = {KMLAB_HARDIRQ, "a high-resolution timer's handler"},
		     [KMLAB_WORK] = {-1, "a work item"},
		     [KMLAB_RCU_CALLBACK] = {KMLAB_SOFTIRQ, "an RCU callback"}};
	struct deferred copy = *work;

	km_kernel->events++;
	free(work);
	km_call_in(kinds[copy.kind].context, kinds[copy.kind].name, copy.run, copy.object);
}

/* ---- threads ---- */

static void thread_main(void)
{
	struct thread *thread = km_kernel->current;

	thread->result = thread->run(thread->data);
	thread->done = true;
	km_kernel->events++;
	km_kernel->current = thread->outer;
	setcontext(&thread->resumer);
}

static void resume(struct thread *thread)
{
	static const unsigned none[KMLAB_NR_CONTEXTS];
	struct kernel *kernel = km_kernel;
	struct km_running outer;

	km_running_save(&outer);
	memcpy(kernel->depth, thread->depth, sizeof(kernel->depth));
	snprintf(kernel->in, sizeof(kernel->in), "%s", thread->name);
	thread->outer = kernel->current;
	kernel->current = thread;
	swapcontext(&thread->resumer, &thread->context);
	if (thread->done)
		km_check_left(thread->name, none);
	memcpy(thread->depth, kernel->depth, sizeof(kernel->depth));
	km_running_restore(&outer);
}

/* The running thread lets others run; it is resumed when its time has come. */
static void yield_thread(void)
{
	struct thread *thread = km_kernel->current;

	km_kernel->current = thread->outer;
	swapcontext(&thread->context, &thread->resumer);
}

static struct thread *next_thread(void)
{
	struct thread *first = NULL;

	for (struct thread *thread = km_kernel->threads; thread; thread = thread->next) {
		if (!thread->started || thread->done || thread == km_kernel->current ||
		    (thread->waits && thread->seen_events == km_kernel->events))
			continue;
		if (!first || thread->wake_ns < first->wake_ns)
			first = thread;
	}
	return first;
}

bool km_step(uint64_t until_ns)
{
	struct deferred *work = km_kernel->deferred;
	struct thread *thread = next_thread();
	uint64_t due;

	if (!work && !thread)
		return false;
	if (thread && (!work || thread->wake_ns < work->due_ns))
		work = NULL;
	due = work ? work->due_ns : thread->wake_ns;
	if (due > until_ns)
		return false;
	if (due > km_kernel->now_ns)
		set_time(due);
	if (work) {
		km_kernel->deferred = work->next;
		run_deferred(work);
	} else {
		thread->waits = false;
		resume(thread);
	}
	return true;
}

static void api_sleep(const struct kmlab_site *site, unsigned long long ns, int interruptible)
{
	uint64_t until = km_kernel->now_ns + ns;

	(void)interruptible;
	km_might_sleep(site);
	if (km_kernel->current) {
		km_kernel->current->wake_ns = until;
		yield_thread();
		return;
	}
	while (km_step(until))
		;
	if (until > km_kernel->now_ns)
		set_time(until);
}

bool km_let_others_run(void)
{
	struct thread *self = km_kernel->current;

	if (!self)
		return km_step(km_kernel->now_ns + FOREVER_NS);
	self->waits = true;
	self->seen_events = km_kernel->events;
	self->wake_ns = km_kernel->now_ns;
	yield_thread();
	return true;
}

static int api_wait(const struct kmlab_site *site)
{
	if (km_let_others_run())
		return 1;
	km_find(KM_RULE_LOCKING, site, "%s waits for something that nothing will bring about",
		site->call);
	return 0;
}

static void api_flush(const struct kmlab_site *site, const void *object)
{
	struct deferred **link, *work;

	km_might_sleep(site);
	for (;;) {
		link = &km_kernel->deferred;
		while (*link &&
		       ((*link)->kind != KMLAB_WORK ||
			(object ? (*link)->object != object : (*link)->due_ns > km_kernel->now_ns)))
			link = &(*link)->next;
		work = *link;
		if (!work)
			return;
		*link = work->next;
		run_deferred(work);
		if (object)
			return;
	}
}

static struct thread *thread_of(const void *task)
{
	struct thread *thread = km_kernel->threads;

	while (thread && thread->task != task)
		thread = thread->next;
	return thread;
}

/* Apart from its caller: no variable of that may live in a register across getcontext(). */
static __attribute__((noinline)) void begin_on(ucontext_t *context, void *stack)
{
	getcontext(context);
	context->uc_stack.ss_sp = stack;
	context->uc_stack.ss_size = THREAD_STACK;
	context->uc_link = NULL;
	makecontext(context, thread_main, 0);
}

static void *api_thread_create(const struct kmlab_site *site, int (*run)(void *), void *data,
			       const char *name)
{
	struct thread *thread = calloc(1, sizeof(*thread));

	if (!thread)
		return NULL;
	thread->stack = malloc(THREAD_STACK);
	if (!thread->stack) {
		free(thread);
		return NULL;
	}
	thread->run = run;
	thread->data = data;
	thread->site = site;
	snprintf(thread->name, sizeof(thread->name), "thread %.20s", name);
	begin_on(&thread->context, thread->stack);
	thread->next = km_kernel->threads;
	km_kernel->threads = thread;
	return thread->task;
}

static int api_thread_wake(void *task)
{
	struct thread *thread = thread_of(task);

	km_kernel->events++;
	if (!thread || thread->done)
		return 0;
	thread->started = true;
	if (thread->wake_ns > km_kernel->now_ns || !thread->wake_ns)
		thread->wake_ns = km_kernel->now_ns;
	return 1;
}

static int api_thread_stop(const struct kmlab_site *site, void *task)
{
	struct thread *thread = thread_of(task);

	km_might_sleep(site);
	if (!thread) {
		km_find(KM_RULE_BAD_ARGUMENT, site, "kthread_stop of what is not a thread");
		return -22;
	}
	thread->stop = true;
	if (!thread->started) {
		thread->done = true;
		return -4; /* it never ran */
	}
	api_thread_wake(task);
	while (!thread->done && km_step(km_kernel->now_ns + FOREVER_NS))
		;
	if (!thread->done)
		km_find(KM_RULE_LOCKING, site, "%s does not end when it should", thread->name);
	return thread->result;
}

/* Elsewhere nothing ends: the task that loads the module is no thread of its. */
static void api_thread_exit(int result)
{
	struct thread *thread = km_kernel->current;

	if (!thread) {
		km_find_at(KM_RULE_OOPS, 0, "the task that loads the module ends itself");
		siglongjmp(km_kernel->escape, 1);
	}
	thread->result = result;
	thread->done = true;
	km_kernel->events++;
	km_kernel->current = thread->outer;
	setcontext(&thread->resumer);
}

static int api_thread_should_stop(void)
{
	return km_kernel->current && km_kernel->current->stop;
}

static void *api_thread_self(void)
{
	return km_kernel->current ? km_kernel->current->task : NULL;
}

/* ---- interrupts ---- */

static int api_request_irq(const struct kmlab_site *site, unsigned number,
			   int (*handler)(int, void *), int (*thread)(int, void *),
			   unsigned long flags, const char *name, void *device)
{
	struct irq *irq, **link = &km_kernel->irqs;

	km_might_sleep(site);
	for (; *link; link = &(*link)->next)
		if ((*link)->number == number && !((*link)->flags & flags & 0x80))
			return -16; /* -EBUSY: not shared */
	if ((flags & 0x80) && !device)
		return -22;
	irq = calloc(1, sizeof(*irq));
	if (!irq)
		return -12;
	*irq = (struct irq){.number = number,
			    .handler = handler,
			    .thread = thread,
			    .flags = flags,
			    .device = device,
			    .site = site};
	snprintf(irq->name, sizeof(irq->name), "%s", name ? name : "");
	*link = irq;
	return 0;
}

static const void *api_free_irq(const struct kmlab_site *site, unsigned number, void *device)
{
	struct irq **link = &km_kernel->irqs, *gone;

	km_might_sleep(site);
	while (*link && ((*link)->number != number || (*link)->device != device))
		link = &(*link)->next;
	gone = *link;
	if (!gone) {
		km_find(KM_RULE_INVALID_FREE, site,
			"free_irq of interrupt %u, which is not requested with this device",
			number);
		return NULL;
	}
	*link = gone->next;
	free(gone);
	return "";
}

static void run_handler(void *argument)
{
	struct irq *irq = argument;

	irq->result = irq->handler ? irq->handler((int)irq->number, irq->device) : 2;
}

static void run_irq_thread(void *argument)
{
	const struct irq *irq = argument;

	irq->thread((int)irq->number, irq->device);
}

void km_raise_interrupts(void)
{
	char name[64];

	for (unsigned i = 0; i < km_kernel->options->interrupts; i++) {
		for (struct irq *irq = km_kernel->irqs; irq; irq = irq->next) {
			snprintf(name, sizeof(name), "the handler of interrupt %u (%.20s)",
				 irq->number, irq->name);
			km_kernel->events++;
			km_call_in(KMLAB_HARDIRQ, name, run_handler, irq);
			if (irq->result == 2 && irq->thread) {
				snprintf(name, sizeof(name), "the thread of interrupt %u",
					 irq->number);
				km_call_in(-1, name, run_irq_thread, irq);
			}
			while (km_step(km_kernel->now_ns))
				;
		}
	}
}

/* ---- what is left when the module is gone ---- */

void km_time_leaks(void)
{
	static const char *const names[] = {
		"a tasklet is still scheduled", "a timer is still armed",
		"a high-resolution timer is still armed", "work is still queued",
		"an RCU callback is still to come"};
	uint64_t end = km_kernel->now_ns;

	/* The kernel waits for callbacks of RCU that free (kfree_rcu), not for a module's own. */
	for (struct deferred *work = km_kernel->deferred; work; work = work->next)
		if (work->kind != KMLAB_RCU_CALLBACK)
			km_find(KM_RULE_RESOURCE, work->site,
				"%s, due %" PRIu64 " ms after exit: it will run code that is gone",
				names[work->kind], (work->due_ns - end) / 1000000);
	for (struct irq *irq = km_kernel->irqs; irq; irq = irq->next)
		km_find(KM_RULE_RESOURCE, irq->site,
			"interrupt %u (%s) is still requested: its handler is gone", irq->number,
			irq->name);
	for (struct thread *thread = km_kernel->threads; thread; thread = thread->next)
		if (thread->started && !thread->done)
			km_find(KM_RULE_RESOURCE, thread->site,
				"%s is still running: its code is gone", thread->name);
}

static unsigned long long api_now(void)
{
	return km_kernel->now_ns;
}

void km_api_time(struct kmlab_api *api)
{
	set_time(0);
	api->sleep = api_sleep;
	api->wait = api_wait;
	api->now_ns = api_now;
	api->defer = api_defer;
	api->cancel = api_cancel;
	api->pending = api_pending;
	api->flush = api_flush;
	api->do_request_irq = api_request_irq;
	api->do_free_irq = api_free_irq;
	api->thread_create = api_thread_create;
	api->thread_stop = api_thread_stop;
	api->thread_wake = api_thread_wake;
	api->thread_should_stop = api_thread_should_stop;
	api->thread_exit = api_thread_exit;
	api->thread_self = api_thread_self;
	api->jiffies = &km_kernel->jiffies;
}
