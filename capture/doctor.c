/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmlab doctor: each thing that kmlab wants of a machine, whether it is there, what follows when it
 * is not, and the command that changes that. Everything is found by trying it, as the user who
 * asks: what a kernel promises in its configuration is not always what it does.
 */
#include <argp.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <kmlab/profile.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <mntent.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "capture.h"
#include "command.h"
#include "options.h"
#include "privilege.h"
#include "results/options.h"
#include "results/term.h"

#define RING_BYTES_TRIAL (1ull << 20)
#define WRITE_BLOCK (1u << 20)
#define WRITE_BLOCKS 16
#define SLOW_BYTES_PER_S (30u << 20) /* a few million events a second, and room to breathe */
#define LITTLE_BYTES (1ull << 30)

static const char doc[] =
	"Say what this machine can do for kmlab, and the remedy for what it cannot.\n"
	"\v"
	"Run it as the user who will record. It loads and attaches the recording programs, and "
	"writes 16 MiB into DIR, to see that both work; nothing of it stays. Exit 0: capture "
	"works, "
	"1: something it needs is missing.\n\n"
	"EXAMPLES\n"
	"  kmlab doctor -C /var/tmp\n"
	"  sudo kmlab doctor --format json";

enum { OK, LIMITED, MISSING };
enum { WANTED, NEEDED };
static const char *const state_names[] = {"ok", "limited", "missing"};

struct check {
	char subject[32];
	int state;
	bool needed; /* recording fails without it */
	char *meaning;
	char *remedy; /* "" none */
};

struct doctor {
	const char *directory;
	struct km_common_options common;
	struct btf *btf; /* of this kernel; NULL: it has none */
	struct check *checks;
	size_t count;
};

/* One line of the answer. */
__attribute__((format(printf, 6, 7))) static void add(struct doctor *doctor, const char *subject,
						      int state, int needed, const char *remedy,
						      const char *meaning, ...)
{
	struct check *grown =
		reallocarray(doctor->checks, doctor->count + 1, sizeof(*doctor->checks));
	struct check *check;
	va_list args;

	if (!grown)
		return;
	doctor->checks = grown;
	check = &grown[doctor->count++];
	*check = (struct check){.state = state, .needed = needed == NEEDED};
	snprintf(check->subject, sizeof(check->subject), "%s", subject);
	va_start(args, meaning);
	if (vasprintf(&check->meaning, meaning, args) < 0)
		check->meaning = NULL;
	va_end(args);
	check->remedy = strdup(state == OK || !remedy ? "" : remedy);
}

static bool read_word(const char *path, char *text, size_t room)
{
	FILE *in = fopen(path, "re");
	bool read = in && fgets(text, (int)room, in);

	if (in)
		fclose(in);
	if (read)
		text[strcspn(text, "\n")] = '\0';
	return read;
}

/* ---- the kernel ---- */

static void check_kernel(struct doctor *doctor)
{
	unsigned major = 0, minor = 0;
	struct utsname name;

	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	if (major > 6 || (major == 6 && minor >= 1))
		add(doctor, "kernel", OK, NEEDED, NULL, "Linux %s on %s; models use profile %s",
		    name.release, name.machine, km_profile_for_release(name.release)->name);
	else
		add(doctor, "kernel", MISSING, NEEDED, "boot Linux 6.1 or newer",
		    "Linux %s has other tracepoints than kmlab records", name.release);
}

static void check_btf(struct doctor *doctor)
{
	doctor->btf = btf__load_vmlinux_btf();
	if (doctor->btf)
		add(doctor, "BTF", OK, NEEDED, NULL, "the kernel describes its %u types",
		    btf__type_cnt(doctor->btf));
	else
		add(doctor, "BTF", MISSING, NEEDED,
		    "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y",
		    "without /sys/kernel/btf/vmlinux no program fits the kernel");
}

static void check_lockdown(struct doctor *doctor)
{
	char text[256];

	if (read_word("/sys/kernel/security/lockdown", text, sizeof(text)) &&
	    strstr(text, "[confidentiality]"))
		add(doctor, "lockdown", MISSING, NEEDED, "boot with lockdown=integrity",
		    "the kernel lets no program read its memory");
	else
		add(doctor, "lockdown", OK, NEEDED, NULL, "programs may read the kernel's memory");
}

/* ---- privilege ---- */

/* In a user namespace of its own a process may have every capability, and the kernel's none. */
static void check_namespace(struct doctor *doctor)
{
	unsigned long long inside, outside, count = 0;
	FILE *map = fopen("/proc/self/uid_map", "re");
	bool initial = !map || fscanf(map, "%llu %llu %llu", &inside, &outside, &count) != 3 ||
		       count == UINT32_MAX;

	if (map)
		fclose(map);
	if (initial)
		add(doctor, "user namespace", OK, NEEDED, NULL, "the machine's own");
	else
		add(doctor, "user namespace", MISSING, NEEDED, "run it outside of the container",
		    "a container's: its capabilities are none of the machine's");
}

static void check_capabilities(struct doctor *doctor)
{
	static const struct {
		const char *name;
		unsigned number;
		int needed;
		bool admin; /* CAP_SYS_ADMIN implies it (include/linux/capability.h) */
		const char *meaning;
	} wanted[] = {
		{"CAP_BPF", CAP_BPF, NEEDED, true, "loads the recording programs"},
		{"CAP_PERFMON", CAP_PERFMON, NEEDED, true, "lets them see what the kernel does"},
		{"CAP_SYS_NICE", CAP_SYS_NICE, WANTED, false,
		 "gives real-time priority, without which a busy machine loses events"},
		{"CAP_SYSLOG", CAP_SYSLOG, WANTED, false, "gives call sites their names"},
		{"CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH, WANTED, false,
		 "reads the state of the caches that a replay starts from"},
		{"CAP_SYS_ADMIN", CAP_SYS_ADMIN, WANTED, false,
		 "sets watchpoints, the cheapest way to events that interrupts hide; reads gfp "
		 "names where tracefs is not mounted"},
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		bool has = km_has_capability(wanted[i].number) ||
			   (wanted[i].admin && km_has_capability(CAP_SYS_ADMIN));
		const char *remedy = km_setcap_command();

		if (wanted[i].number == CAP_SYS_ADMIN)
			remedy = NULL;
		else if (wanted[i].number == CAP_DAC_READ_SEARCH)
			remedy = km_setcap_command_reading();
		add(doctor, wanted[i].name, has ? OK : MISSING, wanted[i].needed, remedy, "%s",
		    wanted[i].meaning);
	}
}

static void check_hidden(struct doctor *doctor)
{
	char *hidden = km_snapshot_hidden();

	if (hidden && *hidden)
		add(doctor, "start state", LIMITED, WANTED, km_setcap_command_reading(),
		    "a replay starts from empty caches: %s cannot be read", hidden);
	else
		add(doctor, "start state", OK, WANTED, NULL,
		    "a replay starts from the caches and zones as they were");
	free(hidden);
}

static void check_realtime(struct doctor *doctor)
{
	char runtime[32] = "unknown";
	struct km_realtime realtime;
	int ret = km_realtime_begin(&realtime);

	km_realtime_end(&realtime);
	read_word("/proc/sys/kernel/sched_rt_runtime_us", runtime, sizeof(runtime));
	if (ret)
		add(doctor, "real-time priority", LIMITED, WANTED, km_realtime_remedy(ret),
		    "a busy machine may lose events (sched_rt_runtime_us %s)", runtime);
	else
		add(doctor, "real-time priority", OK, WANTED, NULL,
		    "SCHED_FIFO 1, at most %u %% of one CPU (sched_rt_runtime_us %s)",
		    realtime.share.percent, runtime);
}

/* ---- what can be recorded ---- */

/* What has no tracepoint is seen where its functions begin. */
static void add_group(struct doctor *doctor, unsigned group, int functions)
{
	int needed = group == KM_GROUP_SLAB || group == KM_GROUP_PAGE ? NEEDED : WANTED;
	const char *remedy = "record the other groups with -e";
	struct km_program_choice choice;
	struct km_err err = {""};
	char subject[32];

	snprintf(subject, sizeof(subject), "events: %s", km_event_group_name(group));
	if (!km_programs_choose(doctor->btf, 1u << group, !functions, &choice, &err)) {
		add(doctor, subject, OK, needed, NULL,
		    "they are there, with arguments that kmlab knows");
		return;
	}
	if (group == KM_GROUP_RCU && functions) {
		if (functions != -EPERM)
			remedy = "boot a kernel built with CONFIG_FUNCTION_TRACER=y";
		else if (km_has_capability(CAP_BPF) && km_has_capability(CAP_PERFMON))
			remedy = "ask who runs this machine: its kernel forbids this even to root";
		else
			remedy = km_setcap_command();
		snprintf(err.text, sizeof(err.text),
			 "no program may attach to a function (%s): frees through RCU and in bulk "
			 "are inferred, not recorded",
			 strerror(-functions));
	}
	add(doctor, subject, MISSING, needed, remedy, "%s", err.text);
}

static void check_groups(struct doctor *doctor)
{
	int functions = doctor->btf ? km_programs_try_function(doctor->btf) : -ENOENT;

	for (unsigned group = 0; doctor->btf && group < KM_NR_GROUPS; group++)
		add_group(doctor, group, functions);
}

static void check_tracefs(struct doctor *doctor)
{
	const char *format = "/sys/kernel/tracing/events/kmem/kmalloc/format";
	bool own = km_has_capability(CAP_SYS_ADMIN);

	if (!eaccess(format, R_OK) || (errno == ENOENT && own))
		add(doctor, "tracefs", OK, WANTED, NULL, "gfp flags have the kernel's own names");
	else if (errno == ENOENT)
		add(doctor, "tracefs", LIMITED, WANTED,
		    "sudo mount -t tracefs nodev /sys/kernel/tracing",
		    "not mounted: gfp flags have the names that BTF and kmlab know");
	else
		add(doctor, "tracefs", LIMITED, WANTED, km_setcap_command_reading(),
		    "not readable: gfp flags have the names that BTF and kmlab know");
}

static void check_symbols(struct doctor *doctor)
{
	char line[256];
	bool seen = false;
	FILE *in = fopen("/proc/kallsyms", "re");

	while (in && !seen && fgets(line, sizeof(line), in))
		seen = strtoull(line, NULL, 16) != 0;
	if (in)
		fclose(in);
	if (seen)
		add(doctor, "kernel symbols", OK, WANTED, NULL, "call sites have names");
	else
		add(doctor, "kernel symbols", LIMITED, WANTED,
		    in ? km_setcap_command() : "boot a kernel built with CONFIG_KALLSYMS=y",
		    "call sites are bare addresses: /proc/kallsyms hides them");
}

static void add_hidden_events(struct doctor *doctor, const struct km_recorder *recorder)
{
	unsigned watched = km_recorder_watched(recorder);

	if (watched == KM_WATCHED_KINDS)
		add(doctor, "hidden events", OK, WANTED, NULL,
		    "watchpoints recover what nested interrupts hide from the programs");
	else
		add(doctor, "hidden events", LIMITED, WANTED,
		    km_has_capability(CAP_SYS_ADMIN) ? "end what else uses the debug registers, "
						       "of which an x86-64 CPU has four"
						     : "record as root",
		    "watchpoints on %u of %u tracepoints; second programs recover what nested "
		    "interrupts hide, and make each free dearer",
		    watched, KM_WATCHED_KINDS);
}

/* The proof: all of the recorder but its switch. */
static void check_recorder(struct doctor *doctor)
{
	const struct km_recorder_options options = {.groups = KM_GROUPS_ALL,
						    .ring_bytes = RING_BYTES_TRIAL};
	struct km_recorder *recorder = NULL;
	const struct km_layout *layout;
	struct km_err err = {""};

	if (km_recorder_open(&options, &recorder, &err)) {
		add(doctor, "recorder", MISSING, NEEDED, "see the lines above", "%s", err.text);
		return;
	}
	layout = km_recorder_layout(recorder);
	add(doctor, "recorder", OK, NEEDED, NULL,
	    "all programs load and attach; page frames are %s",
	    layout->vmemmap ? "known" : "not known");
	add_hidden_events(doctor, recorder);
	km_recorder_close(recorder);
}

/* ---- what else the machine has ---- */

static void check_counter(struct doctor *doctor, const char *name, uint32_t type, uint64_t config)
{
	struct perf_event_attr attr = {.type = type,
				       .size = sizeof(attr),
				       .config = config,
				       .disabled = 1,
				       .exclude_kernel = 1,
				       .exclude_hv = 1};
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	int code = errno;
	char subject[32];

	snprintf(subject, sizeof(subject), "PMU: %s", name);
	if (fd >= 0) {
		close(fd);
		add(doctor, subject, OK, WANTED, NULL, "a replay can count them");
	} else if (code == EACCES || code == EPERM) {
		add(doctor, subject, LIMITED, WANTED, "sudo sysctl kernel.perf_event_paranoid=2",
		    "this user may not count them");
	} else {
		add(doctor, subject, MISSING, WANTED,
		    "run on the bare machine, or let the hypervisor pass a PMU on",
		    "not supported here (%s): a replay measures time, and models the TLB",
		    strerror(code));
	}
}

/* A replay counts, and kmlab itself has no capabilities but root's. */
static void check_pmu(struct doctor *doctor)
{
	if (geteuid())
		km_suspend_capabilities(true);
	check_counter(doctor, "cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES);
	check_counter(doctor, "dTLB-load-misses", PERF_TYPE_HW_CACHE,
		      PERF_COUNT_HW_CACHE_DTLB | PERF_COUNT_HW_CACHE_OP_READ << 8 |
			      PERF_COUNT_HW_CACHE_RESULT_MISS << 16);
	if (geteuid())
		km_suspend_capabilities(false);
}

static void check_memory(struct doctor *doctor)
{
	const unsigned long long rings = km_default_ring_bytes();
	unsigned long long available_kib = 0;
	FILE *in = fopen("/proc/meminfo", "re");
	char line[128], available[KM_HUMAN_BYTES];

	while (in && fgets(line, sizeof(line), in))
		if (sscanf(line, "MemAvailable: %llu", &available_kib) == 1)
			break;
	if (in)
		fclose(in);
	km_human_bytes((double)available_kib * 1024, available);
	if (available_kib << 10 >= 4 * rings)
		add(doctor, "memory", OK, WANTED, NULL, "%s free for rings of %llu MiB", available,
		    rings >> 20);
	else
		add(doctor, "memory", LIMITED, WANTED, "record with --ring-size 16M",
		    "%s free; the rings take %llu MiB", available, rings >> 20);
}

/* Bytes a second, written and synced; or -errno. */
static double write_speed(const char *directory)
{
	char *block = malloc(WRITE_BLOCK), path[4096];
	uint64_t begun, taken;
	ssize_t wrote = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/kmlab-doctor.XXXXXX", directory);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0 || !block) {
		free(block);
		return -errno;
	}
	unlink(path);
	for (size_t i = 0; i < WRITE_BLOCK; i++) /* nothing that a file system would squeeze */
		block[i] = (char)(i * 2654435761u >> 13);
	begun = km_clock_ns();
	for (unsigned i = 0; i < WRITE_BLOCKS; i++) {
		wrote = write(fd, block, WRITE_BLOCK);
		if (wrote != WRITE_BLOCK)
			break;
	}
	if (wrote >= 0 && wrote != WRITE_BLOCK)
		errno = ENOSPC;
	else if (wrote > 0)
		wrote = fsync(fd) ? -1 : wrote;
	taken = km_clock_ns() - begun;
	close(fd);
	free(block);
	return wrote == WRITE_BLOCK ? (double)WRITE_BLOCK * WRITE_BLOCKS * 1e9 / (double)taken
				    : -errno;
}

static void check_disk(struct doctor *doctor)
{
	double speed = write_speed(doctor->directory);
	char fast[KM_HUMAN_BYTES], room[KM_HUMAN_BYTES];
	struct statvfs status;
	double bytes;

	if (speed < 0 || statvfs(doctor->directory, &status)) {
		add(doctor, "disk", MISSING, NEEDED, "write the trace elsewhere: -o FILE",
		    "%s cannot be written: %s", doctor->directory,
		    strerror(speed < 0 ? (int)-speed : errno));
		return;
	}
	bytes = (double)status.f_bavail * (double)status.f_frsize;
	add(doctor, "disk", speed < SLOW_BYTES_PER_S || bytes < LITTLE_BYTES ? LIMITED : OK, WANTED,
	    "write the trace to a faster or emptier disk: -o FILE",
	    "%s free, %s/s written and synced; a trace grows by 3 to 10 bytes an event",
	    km_human_bytes(bytes, room), km_human_bytes(speed, fast));
}

static void check_cgroup(struct doctor *doctor)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *each;
	char where[256] = "";

	while (mounts && !*where && (each = getmntent(mounts)))
		if (strcmp(each->mnt_type, "cgroup2") == 0)
			snprintf(where, sizeof(where), "%s", each->mnt_dir);
	if (mounts)
		endmntent(mounts);
	if (*where)
		add(doctor, "cgroup v2", OK, WANTED, NULL,
		    "events can be told apart by the control groups in %s", where);
	else
		add(doctor, "cgroup v2", MISSING, WANTED,
		    "sudo mount -t cgroup2 none /sys/fs/cgroup",
		    "events cannot be told apart by control group");
}

static void check_gnuplot(struct doctor *doctor)
{
	if (!km_command_find("gnuplot"))
		add(doctor, "gnuplot", OK, WANTED, NULL, "plot and report draw figures");
	else
		add(doctor, "gnuplot", MISSING, WANTED, "sudo apt-get install gnuplot-nox",
		    "plot and report write numbers, but draw no figures");
}

/* ---- the answer ---- */

/* May a trace be recorded? */
static bool works(const struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->count; i++)
		if (doctor->checks[i].needed && doctor->checks[i].state == MISSING)
			return false;
	return true;
}

static void print_json(const struct doctor *doctor)
{
	struct km_json json;

	km_json_begin(&json, stdout);
	km_json_u64(&json, "schema", 1);
	km_json_bool(&json, "works", works(doctor));
	km_json_array(&json, "checks");
	for (size_t i = 0; i < doctor->count; i++) {
		const struct check *check = &doctor->checks[i];

		km_json_object(&json, NULL);
		km_json_str(&json, "subject", check->subject);
		km_json_str(&json, "state", state_names[check->state]);
		km_json_bool(&json, "needed", check->needed);
		km_json_str(&json, "meaning", check->meaning);
		km_json_str(&json, "remedy", check->remedy);
		km_json_close(&json);
	}
	km_json_close(&json);
	km_json_end(&json);
}

static void print_rows(const struct doctor *doctor, enum km_format format)
{
	static const char *const titles[] = {"subject", "state", "needed", "meaning", "remedy"};
	struct km_table *table = km_table_new(5, titles);

	if (!table)
		return;
	for (size_t i = 0; i < doctor->count; i++) {
		const struct check *check = &doctor->checks[i];

		km_table_cell(table, check->subject);
		km_table_cell(table, state_names[check->state]);
		km_table_cell(table, check->needed ? "yes" : "no");
		km_table_cell(table, check->meaning);
		km_table_cell(table, check->remedy);
	}
	km_table_print(table, stdout, format);
	km_table_free(table);
}

/* For a person: a remedy is too long for a column, and stands below. */
static void print_text(const struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->count; i++) {
		const struct check *check = &doctor->checks[i];

		printf("%-8s %-22s %s\n", state_names[check->state], check->subject,
		       check->meaning ? check->meaning : "");
		if (check->remedy && *check->remedy)
			printf("%-8s %-22s -> %s\n", "", "", check->remedy);
	}
	printf("\ncapture %s on this machine%s\n", works(doctor) ? "works" : "does not work",
	       works(doctor) ? "" : ": a line above says 'missing'");
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
	struct doctor *doctor = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &doctor->common;
		return 0;
	case 'C':
		doctor->directory = text;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "no argument is taken; '%s' is left over", text);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int km_doctor(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"directory", 'C', "DIR", 0, "Where the trace would be written (.)", 0}, {0}};
	static const struct argp argp = {.options = options,
					 .parser = parse_option,
					 .doc = doc,
					 .children = km_common_children};
	static void (*const checks[])(struct doctor *) = {
		check_kernel,       check_btf,     check_lockdown, check_namespace,
		check_capabilities, check_groups,  check_recorder, check_realtime,
		check_hidden,       check_tracefs, check_symbols,  check_memory,
		check_disk,         check_cgroup,  check_pmu,      check_gnuplot};
	struct doctor doctor = {.directory = "."};
	int ret;

	argp_err_exit_status = KM_EXIT_ERROR;
	argp_parse(&argp, argc, argv, 0, NULL, &doctor);
	libbpf_set_print(NULL);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		checks[i](&doctor);
	if (doctor.common.format == KM_FORMAT_JSON)
		print_json(&doctor);
	else if (doctor.common.format == KM_FORMAT_TABLE)
		print_text(&doctor);
	else
		print_rows(&doctor, doctor.common.format);
	ret = works(&doctor) ? KM_EXIT_OK : KM_EXIT_NO;
	for (size_t i = 0; i < doctor.count; i++) {
		free(doctor.checks[i].meaning);
		free(doctor.checks[i].remedy);
	}
	free(doctor.checks);
	btf__free(doctor.btf);
	return ret;
}
