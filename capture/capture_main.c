/* SPDX-License-Identifier: GPL-2.0-only */
/* kmlab-capture: the only program of kmlab that needs privilege. */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "btf_cut.h"
#include "chase.h"
#include "options.h"
#include "results/term.h"
#include "session.h"

/* --btf: would that kernel do? */
static int judge(const struct btf *btf, unsigned groups)
{
	struct km_program_choice choice;
	struct km_err err;

	if (km_programs_choose(btf, groups, true, &choice, &err))
		return km_error("%s", err.text);
	for (unsigned group = 0; group < KM_NR_GROUPS; group++)
		printf("%s %s\n", km_event_group_name(group),
		       choice.groups & 1u << group ? "yes" : "no");
	return KM_EXIT_OK;
}

/* --btf and --save-btf: about a kernel, without recording it. */
static int describe(const struct km_options *options)
{
	struct btf *btf = options->btf ? btf__parse(options->btf, NULL) : btf__load_vmlinux_btf();
	struct km_err err;
	int ret;

	if (!btf)
		return km_error("%s is not a BTF file: %s",
				options->btf ? options->btf : "/sys/kernel/btf/vmlinux",
				strerror(errno));
	if (!options->save_btf)
		ret = judge(btf, options->groups);
	else if (km_btf_cut(btf, options->save_btf, &err))
		ret = km_error("%s", err.text);
	else
		ret = KM_EXIT_OK;
	btf__free(btf);
	return ret;
}

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_DEBUG ? 0 : vfprintf(stderr, format, args);
}

int main(int argc, char **argv)
{
	struct km_options options;

	if (argc > 1 && strcmp(argv[1], "--doctor") == 0) {
		argv[1] = argv[0];
		return km_doctor(argc - 1, argv + 1);
	}
	if (argc > 1 && strcmp(argv[1], "--chase") == 0) {
		libbpf_set_print(NULL);
		argv[1] = argv[0];
		return km_chase(argc - 1, argv + 1);
	}
	km_options_parse(&options, argc, argv);
	libbpf_set_print(options.verbose ? print_libbpf : NULL);
	if (options.btf || options.save_btf)
		return describe(&options);
	km_catch_interrupts();
	return km_session_run(&options);
}
