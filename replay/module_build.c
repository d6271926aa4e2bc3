/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A module's sources into a shared object: compiled with this machine's compiler against
 * engine/kernel-api, each access instrumented as for KASAN where the compiler can; and addresses in
 * it back into lines.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replay/module.h"

#define MAX_WORDS 128
#define API_LEVELS 8 /* how far above the program its source tree may begin */

struct words {
	char *list[MAX_WORDS];
	unsigned count;
};

__attribute__((format(printf, 2, 3))) static void add(struct words *words, const char *format, ...)
{
	va_list args;
	char *word;

	va_start(args, format);
	if (words->count + 1 < MAX_WORDS && vasprintf(&word, format, args) >= 0)
		words->list[words->count++] = word;
	va_end(args);
	words->list[words->count] = NULL;
}

static void add_split(struct words *words, const char *text)
{
	char *copy = strdup(text), *save = NULL;

	for (char *word = copy ? strtok_r(copy, " ", &save) : NULL; word;
	     word = strtok_r(NULL, " ", &save))
		add(words, "%s", word);
	free(copy);
}

static void free_words(struct words *words)
{
	while (words->count)
		free(words->list[--words->count]);
}

/* ---- where things are ---- */

/* The folder that has kernel-api and include: the source tree's engine, or what was installed. */
static int find_api(char base[4096], struct km_err *err)
{
	static const char *const places[] = {"engine", "share/kmlab"};
	char self[3800], probe[4200];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[length > 0 ? length : 0] = 0;
	for (unsigned level = 0; level < API_LEVELS; level++) {
		char *slash = strrchr(self, '/');

		if (!slash)
			break;
		*slash = 0;
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			snprintf(probe, sizeof(probe), "%s/%s/kernel-api/linux/slab.h", self,
				 places[i]);
			if (access(probe, R_OK))
				continue;
			snprintf(base, 4096, "%s/%s", self, places[i]);
			return 0;
		}
	}
	return km_fail(err, -ENOENT,
		       "the kernel's headers for modules are not beside this program "
		       "(engine/kernel-api); run it from its source tree or after 'make install'");
}

static const char *compiler(void)
{
	const char *cc = getenv("CC");

	return cc && *cc ? cc : "cc";
}

static bool is_clang(void)
{
	static int known = -1;
	char command[512], line[256];
	bool clang = false;
	FILE *pipe;

	if (known >= 0)
		return known;

	snprintf(command, sizeof(command), "%s -dM -E -x c /dev/null 2>/dev/null", compiler());
	pipe = popen(command, "r");
	while (pipe && fgets(line, sizeof(line), pipe))
		clang |= strncmp(line, "#define __clang__", 17) == 0;
	if (pipe)
		pclose(pipe);
	known = clang;
	return clang;
}

/* ---- compiling ---- */

/* 0; -ENOENT: there is no such program; -ENOEXEC: it failed. Its words go to `output` or stderr. */
static int execute(struct words *words, int output)
{
	pid_t pid;
	int status;

	fflush(stderr);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		dup2(output >= 0 ? output : 2, 1);
		if (output >= 0)
			dup2(output, 2);
		execvp(words->list[0], words->list);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return -ENOENT;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ENOEXEC;
}

static void module_name(const char *source, char name[64])
{
	const char *base = strrchr(source, '/');
	size_t length;

	base = base ? base + 1 : source;
	length = strcspn(base, ".");
	snprintf(name, 64, "%.*s", (int)(length < 60 ? length : 60), base);
	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
}

static void add_common(struct words *words, const struct km_module_options *options,
		       const char *base)
{
	unsigned major = 6, minor = 1;
	char name[64];

	module_name(options->sources[0], name);
	sscanf(options->spec.profile.name, "%u.%u", &major, &minor);
	add_split(words, compiler());
	add_split(words, "-std=gnu11 -O1 -g -fPIC -shared -nostdinc -nostdlib -ffreestanding "
			 "-fno-strict-aliasing -fwrapv -fno-common -fno-delete-null-pointer-checks "
			 "-fno-stack-protector -fno-omit-frame-pointer -Wall -Wno-pointer-sign "
			 "-Wno-unused "
			 "-Werror=implicit-function-declaration -D__KERNEL__ -DMODULE");
	add(words, "-DKBUILD_MODNAME=\"%s\"", name);
	add(words, "-DKMLAB_VERSION_CODE=%u", (major << 16) + (minor << 8));
	add(words, "-DKMLAB_RELEASE=\"%s.0\"", options->spec.profile.name);
	add(words, "-isystem");
	add(words, "%s/kernel-api", base);
	add(words, "-I%s/include", base);
	add_split(words, "-include linux/kmlab_glue.h");
	/* Its loops are not to become calls of themselves. */
	if (!is_clang())
		add(words, "-fno-tree-loop-distribute-patterns");
}

static void add_checks(struct words *words)
{
	add(words, "-fsanitize=kernel-address");
	add_split(words, is_clang() ? "-mllvm -asan-instrumentation-with-call-threshold=0 "
				      "-mllvm -asan-stack=0 -mllvm -asan-globals=0"
				    : "--param asan-instrumentation-with-call-threshold=0 "
				      "--param asan-stack=0 --param asan-globals=0");
}

static int build_module(const struct km_module_options *options, const char *base, const char *path,
			bool checks, int output)
{
	struct words words = {.count = 0};
	int code;

	add_common(&words, options, base);
	if (checks)
		add_checks(&words);
	/* The module's own folder, for its own headers. */
	for (unsigned i = 0; i < options->nr_sources; i++)
		add(&words, "%s", options->sources[i]);
	add_split(&words, "-Wl,-Bsymbolic -Wl,-z,defs -o");
	add(&words, "%s", path);
	code = execute(&words, output);
	free_words(&words);
	return code;
}

static void repeat(int from)
{
	char text[4096];
	ssize_t n;

	lseek(from, 0, SEEK_SET);
	while ((n = read(from, text, sizeof(text))) > 0)
		fwrite(text, 1, (size_t)n, stderr);
}

int km_module_build(const struct km_module_options *options, const char *path, struct km_err *err)
{
	char base[4096], words[4200];
	int code = find_api(base, err), output;

	for (unsigned i = 0; !code && i < options->nr_sources; i++)
		if (access(options->sources[i], R_OK))
			code = km_fail(err, -errno, "%s cannot be read: %s", options->sources[i],
				       strerror(errno));
	if (code)
		return code;
	snprintf(words, sizeof(words), "%s.words", path);
	output = open(words, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	code = options->no_checks ? -ENOEXEC : build_module(options, base, path, true, output);
	if (code == -ENOEXEC) {
		code = build_module(options, base, path, false, -1);
		if (!code && !options->no_checks)
			fputs("kmlab: this compiler does not instrument accesses: only red zones "
			      "and poison are looked at\n",
			      stderr);
	} else if (output >= 0) {
		repeat(output);
	}
	if (output >= 0)
		close(output);
	unlink(words);
	if (code == -ENOENT)
		return km_fail(err, code,
			       "there is no compiler '%s'; install one (on Debian: apt install "
			       "gcc) or name it in CC",
			       compiler());
	if (code)
		return km_fail(err, -ENOEXEC,
			       "%s does not compile as a module: see the compiler's messages; what "
			       "engine/kernel-api has no function for cannot run here",
			       options->sources[0]);
	return 0;
}

/* ---- lines ---- */

/* "init_module\n/path/hello.c:12\n" of addr2line -f into "hello.c:12 init_module()". */
static void take_line(FILE *pipe, char where[60])
{
	char function[128], place[512], *file, *end;

	if (!fgets(function, sizeof(function), pipe) || !fgets(place, sizeof(place), pipe))
		return;
	function[strcspn(function, "\n")] = 0;
	place[strcspn(place, "\n (")] = 0;
	file = strrchr(place, '/');
	file = file ? file + 1 : place;
	end = strchr(file, ':');
	if (end && end[1] != '?')
		snprintf(where, 60, "%.40s %.16s()", file, function);
	else
		snprintf(where, 60, "%.50s()", function);
}

void km_module_resolve(const char *path, struct km_module_report *report)
{
	char command[4300];
	FILE *pipe;

	for (size_t i = 0; i < report->nr_findings; i++) {
		struct km_module_finding *finding = &report->findings[i];

		if (!finding->code)
			continue;
		snprintf(command, sizeof(command), "addr2line -f -e '%s' 0x%" PRIx64 " 2>/dev/null",
			 path, finding->code);
		pipe = popen(command, "r");
		if (pipe) {
			take_line(pipe, finding->where);
			pclose(pipe);
		}
		if (!finding->where[0])
			snprintf(finding->where, sizeof(finding->where), "the module+0x%" PRIx64,
				 finding->code);
	}
}
