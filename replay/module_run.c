/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One run of a module: a process with a machine, its memory and the kernel's API; parameters, init,
 * what init set going, exit; crashes end the run and are reported, whatever they destroyed.
 */
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "replay/host.h"
#include "replay/module_kernel.h"

struct kernel *km_kernel;

#define SIGNAL_STACK (64u << 10)
#define AGED_PAGES 4096u

/* ---- crashes ---- */

static const void *instruction(const ucontext_t *context)
{
#if defined(__x86_64__)
	return (const void *)(uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return (const void *)(uintptr_t)context->uc_mcontext.pc;
#else
	(void)context;
	return NULL;
#endif
}

static void oops(int number, siginfo_t *info, void *context)
{
	const char *from = instruction(context);
	uint64_t addr = (uintptr_t)info->si_addr, code = km_code(from ? from + 1 : NULL);
	const struct object *near;
	char text[160];

	if (number == SIGPROF) {
		km_find_at(KM_RULE_LOCKUP, code,
			   "soft lockup: the module has kept the CPU for %u s without sleeping",
			   km_kernel->options->cpu_seconds);
	} else if (number == SIGFPE) {
		km_find_at(KM_RULE_DIVISION, code, "oops: division by zero");
	} else if (number == SIGILL || number == SIGTRAP) {
		km_find_at(KM_RULE_OOPS, code, "oops: invalid instruction");
	} else if (addr < 4096 && info->si_code != SI_KERNEL) {
		km_find_at(KM_RULE_OOPS, code, "oops: NULL pointer dereference, address 0x%" PRIx64,
			   addr);
	} else if (info->si_code == SI_KERNEL) {
		km_find_at(KM_RULE_OOPS, code,
			   "oops: a pointer that is no address was followed (poisoned: 0xdead…: a "
			   "list entry that was deleted; 0x6b6b…: freed memory)");
	} else {
		addr = km_shown(addr);
		near = km_is_vmalloc_addr(addr) ? km_object_near(addr) : NULL;
		km_find_at(KM_RULE_OOPS, code,
			   "oops: page fault at 0x%" PRIx64 ", where nothing is mapped%s%s", addr,
			   near ? "; before it lie " : "", near ? km_object_text(near, text) : "");
	}
	if (km_kernel->escapable)
		siglongjmp(km_kernel->escape, 1);
	_exit(1);
}

static void catch_crashes(unsigned cpu_seconds)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGPROF};
	struct itimerval limit = {.it_value = {.tv_sec = cpu_seconds}};
	struct sigaction action = {.sa_sigaction = oops,
				   .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	stack_t stack = {.ss_sp = malloc(SIGNAL_STACK), .ss_size = SIGNAL_STACK};

	if (stack.ss_sp)
		sigaltstack(&stack, NULL);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	if (cpu_seconds)
		setitimer(ITIMER_PROF, &limit, NULL);
}

/* ---- the kernel ---- */

/*
 * A machine that has been running: every second page of some MiB is in use, and the free ones come
 * in no order, as they do on one that did not boot for this module.
 */
static void age(struct kernel *kernel)
{
	static km_pfn pages[AGED_PAGES];
	struct km_machine *machine = kernel->machine;
	uint64_t count = kernel->options->spec.memory_bytes >> (KM_PAGE_SHIFT + 4);

	if (kernel->options->fresh)
		return;
	if (count > AGED_PAGES)
		count = AGED_PAGES;
	for (uint64_t i = 0; i < count; i++)
		pages[i] = km_alloc_pages(machine, 0, KM_GFP_KERNEL | KM_GFP_HIGHMEM, 0);
	for (uint64_t i = count; i > 1; i--) {
		uint64_t other = km_env_random(&kernel->env) % i;
		km_pfn swap = pages[i - 1];

		pages[i - 1] = pages[other];
		pages[other] = swap;
	}
	for (uint64_t i = 0; i < count; i += 2)
		if (km_pfn_valid(pages[i]))
			km_free_pages(machine, 0, pages[i], 0);
}

int km_module_boot(struct kernel *kernel, struct km_err *err)
{
	int code;

	km_host_env(&kernel->env, kernel->options->seed);
	code = km_memory_setup(kernel, err);
	if (code)
		return code;
	code = km_machine_create(&kernel->env, &kernel->options->spec, &kernel->machine);
	if (code)
		return km_fail(err, code, "this machine cannot be built: %s", strerror(-code));
	age(kernel);
	kernel->api = (struct kmlab_api){
		.direct_map = kernel->memory->direct,
		.vmalloc_area = kernel->memory->vmalloc,
		.direct_bytes = kernel->memory->direct_bytes,
		.vmalloc_bytes = kernel->vmalloc_bytes,
		.memory_map = kernel->memory_map,
		.max_pfn = kernel->machine->max_pfn,
		.cpus = kernel->options->spec.cpus,
	};
	km_api_memory(&kernel->api);
	km_api_pages(&kernel->api);
	km_api_cache(&kernel->api);
	km_api_text(&kernel->api);
	km_api_context(&kernel->api);
	km_api_time(&kernel->api);
	km_api_resource(&kernel->api);
	km_api_percpu(&kernel->api);
	km_api_file(&kernel->api);
	return 0;
}

/* ---- loading ---- */

struct module {
	void *object;
	int (*init)(void);
	void (*exit)(void);
	struct kmlab_param *params;
};

static void *variable(const struct module *module, const char *name)
{
	void **at = dlsym(module->object, name);

	return at ? *at : NULL;
}

static bool set_value(const char *text, const char *type, void *at, unsigned size)
{
	bool is_unsigned = type[0] == 'u' || strcmp(type, "byte") == 0;
	long long value, back = 0;
	char *end;

	if (strcmp(type, "charp") == 0) {
		*(char **)at = strdup(text);
		return true;
	}
	if (strcmp(type, "string") == 0) {
		snprintf(at, size, "%s", text);
		return strlen(text) < size;
	}
	if (strcmp(type, "bool") == 0 || strcmp(type, "invbool") == 0) {
		*(bool *)at = (strchr("yY1", text[0]) != NULL) ^ (type[0] == 'i');
		return strchr("yYnN01", text[0]) && text[0] && !text[1];
	}
	errno = 0;
	value = is_unsigned ? (long long)strtoull(text, &end, 0) : strtoll(text, &end, 0);
	memcpy(&back, &value, size);
	if (size < 8 && !is_unsigned && value < 0)
		back |= (long long)(~0ull << (8 * size));
	if (!*text || (*end && strcmp(end, "\n") != 0) || errno || back != value)
		return false;
	memcpy(at, &value, size);
	return true;
}

static int api_param_value(const char *text, const char *type, void *value, unsigned bytes)
{
	return set_value(text, type, value, bytes) ? 0 : -EINVAL;
}

static int set_param(const struct module *module, const char *setting, struct km_err *err)
{
	const char *equals = strchr(setting, '=');
	size_t length = equals ? (size_t)(equals - setting) : strlen(setting);
	const struct kmlab_param *param = module->params;
	char *copy, *save = NULL;
	unsigned count = 0;
	bool good = true;
	int code;

	while (param && (strncmp(param->name, setting, length) != 0 || param->name[length]))
		param = param->next;
	if (!param)
		return km_fail(err, -EINVAL, "the module has no parameter \"%.*s\"", (int)length,
			       setting);
	if (param->set) {
		code = param->set(param, equals ? equals + 1 : "1");
		return code ? km_fail(err, code,
				      "the module does not take \"%s\": its set function "
				      "gives %d",
				      setting, code)
			    : 0;
	}
	if (param->room == 1) {
		good = set_value(equals ? equals + 1 : "1", param->type, param->value, param->size);
	} else {
		copy = strdup(equals ? equals + 1 : "");
		for (char *word = copy ? strtok_r(copy, ",", &save) : NULL; word && good;
		     word = strtok_r(NULL, ",", &save))
			good = count < param->room &&
			       set_value(word, param->type,
					 (char *)param->value + (size_t)count++ * param->size,
					 param->size);
		free(copy);
		if (param->count)
			*param->count = count;
	}
	return good ? 0
		    : km_fail(err, -EINVAL, "\"%s\" is no value for a parameter of type %s",
			      setting, param->type);
}

static int load(struct module *module, const char *path, struct km_err *err)
{
	const struct kmlab_api **api;
	const struct kmlab_modinfo *info;
	Dl_info info_of_file;

	module->object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!module->object)
		return km_fail(err, -ENOEXEC, "the module cannot be loaded: %s", dlerror());
	api = dlsym(module->object, "kmlab_api");
	if (!api)
		return km_fail(err, -ENOEXEC, "it includes no header of the kernel");
	if (dladdr(api, &info_of_file))
		km_kernel->base = info_of_file.dli_fbase;
	km_kernel->api.param_value = api_param_value;
	*api = &km_kernel->api;
	km_kernel->percpu_first = variable(module, "kmlab_percpu_first");
	km_kernel->percpu_end = variable(module, "kmlab_percpu_end");
	module->params = variable(module, "kmlab_params");
	*(void **)&module->init = variable(module, "kmlab_module_init");
	*(void **)&module->exit = variable(module, "kmlab_module_exit");
	/* How modules were written before module_init(). */
	if (!module->init)
		*(void **)&module->init = dlsym(module->object, "init_module");
	if (!module->exit)
		*(void **)&module->exit = dlsym(module->object, "cleanup_module");
	if (!module->init)
		return km_fail(err, -ENOEXEC,
			       "it has no init function; name one with module_init()");
	for (info = variable(module, "kmlab_modinfo"); info; info = info->next)
		if (strcmp(info->tag, "license") == 0)
			snprintf(km_kernel->report->license, sizeof(km_kernel->report->license),
				 "%s", info->text);
	for (unsigned i = 0; i < km_kernel->options->nr_params; i++)
		if (set_param(module, km_kernel->options->params[i], err))
			return -EINVAL;
	return 0;
}

/* ---- the run ---- */

static void run_init(void *argument)
{
	const struct module *module = argument;

	km_kernel->report->init_result = module->init();
	km_kernel->report->init_done = true;
}

static void run_exit(void *argument)
{
	const struct module *module = argument;

	module->exit();
	km_kernel->report->exit_done = true;
}

/* Objects of one place are one leak. */
static void find_leaks(void)
{
	struct kernel *kernel = km_kernel;

	for (uint32_t i = 1; i <= kernel->nr_objects; i++) {
		const struct kmlab_site *site = kernel->objects[i].site;
		uint64_t count = 0, bytes = 0;
		char where[60];

		if (!kernel->objects[i].addr || kernel->objects[i].freed_at)
			continue;
		for (uint32_t j = 1; j <= kernel->nr_objects; j++) {
			struct object *object = &kernel->objects[j];

			if (!object->addr || object->freed_at || object->site != site)
				continue;
			count++;
			bytes += object->bytes;
			object->freed_at = site; /* counted */
		}
		km_where(where, site);
		km_find(KM_RULE_LEAK, site,
			"leak: %" PRIu64 " object%s, %" PRIu64 " bytes of %s %s never freed", count,
			count == 1 ? "" : "s", bytes, site->call, count == 1 ? "was" : "were");
		kernel->report->live_objects += count;
		kernel->report->live_bytes += bytes;
	}
	for (struct cache *cache = kernel->caches; cache; cache = cache->next)
		if (cache->handle && cache->site)
			km_find(KM_RULE_RESOURCE, cache->site,
				"the cache \"%s\" is never destroyed", cache->name);
}

static void finish(const struct module *module)
{
	struct kernel *kernel = km_kernel;

	km_object_check_all();
	if (kernel->report->init_result == 0 && !module->exit)
		return; /* Linux keeps a module without exit for ever */
	/* kfree_rcu() is waited for. */
	for (struct deferred *none = kernel->deferred; none && kernel->report->exit_done;
	     none = NULL)
		while (km_step(kernel->now_ns + 10000000))
			;
	find_leaks();
	km_time_leaks();
	km_resource_leaks();
}

static void live(struct module *module)
{
	struct kernel *kernel = km_kernel;
	uint64_t end = kernel->options->run_ns;

	km_call_in(-1, "init", run_init, module);
	if (kernel->report->init_result == 0) {
		kernel->phase = KM_PHASE_RUN;
		km_raise_interrupts();
		if (kernel->options->files)
			km_use_files();
		end += kernel->now_ns;
		while (km_step(end))
			;
		if (module->exit) {
			kernel->phase = KM_PHASE_EXIT;
			km_call_in(-1, "exit", run_exit, module);
		}
	}
	finish(module);
}

static void child(const struct km_module_options *options, struct km_module_report *report,
		  const char *path)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	struct module module = {NULL, NULL, NULL, NULL};
	struct km_err err = {""};

	if (!kernel)
		_exit(1);
	kernel->options = options;
	kernel->report = report;
	km_kernel = kernel;
	if (km_module_boot(kernel, &err) || load(&module, path, &err)) {
		snprintf(report->failure, sizeof(report->failure), "%s", err.text);
		_exit(1);
	}
	report->has_exit = module.exit != NULL;
	catch_crashes(options->cpu_seconds);
	kernel->escapable = true;
	if (sigsetjmp(kernel->escape, 1) == 0)
		live(&module);
	report->finished = true;
	_exit(0);
}

static struct km_module_report *new_report(void)
{
	void *at = mmap(NULL, sizeof(struct km_module_report), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

void km_module_release(struct km_module_report *report)
{
	if (report)
		munmap(report, sizeof(*report));
}

static int run_child(const struct km_module_options *options, struct km_module_report *report,
		     const char *path, struct km_err *err)
{
	struct km_module_finding *finding;
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return km_fail(err, -errno, "no process for the module: %s", strerror(errno));
	if (!pid)
		child(options, report, path);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (report->failure[0])
		return km_fail(err, -EINVAL, "%s", report->failure);
	if (report->finished || report->nr_findings >= KM_MODULE_FINDINGS)
		return 0;
	finding = &report->findings[report->nr_findings++];
	*finding = (struct km_module_finding){.rule = KM_RULE_OOPS, .count = 1};
	snprintf(finding->what, sizeof(finding->what),
		 "the module destroyed what it runs on: its process ended with %s %d",
		 WIFSIGNALED(status) ? "signal" : "status",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return 0;
}

int km_module_run(const struct km_module_options *options, struct km_module_report **out,
		  struct km_err *err)
{
	const char *temporary = getenv("TMPDIR");
	char folder[4000], path[4096];
	struct km_module_report *report;
	int code;

	snprintf(folder, sizeof(folder), "%s/kmlab-module-XXXXXX", temporary ? temporary : "/tmp");
	if (!mkdtemp(folder))
		return km_fail(err, -errno, "cannot make a folder in %s: %s",
			       temporary ? temporary : "/tmp", strerror(errno));
	snprintf(path, sizeof(path), "%s/module.so", folder);
	report = new_report();
	code = report ? km_module_build(options, path, err)
		      : km_fail(err, -ENOMEM, "no memory for the report");
	if (!code)
		code = run_child(options, report, path, err);
	if (!code)
		km_module_resolve(path, report);
	unlink(path);
	rmdir(folder);
	if (code)
		km_module_release(report);
	else
		*out = report;
	return code;
}
