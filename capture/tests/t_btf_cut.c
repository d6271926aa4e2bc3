/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A cut BTF tells about its kernel what the whole one does. Saved ones stand for kernels that this
 * machine does not run: their per-CPU variables, read with `bpftool btf dump` from the whole.
 */
#include "capture/btf_cut.h"
#include "capture/probe.h"
#include "engine/tests/tap.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VMLINUX "/sys/kernel/btf/vmlinux"

static void test_saved(const char *path, uint64_t runqueues, uint64_t preempt_count,
		       uint64_t cpu_number)
{
	struct btf *btf = btf__parse(path, NULL);
	struct km_percpu_offsets offsets = {0};
	struct km_program_choice choice = {0};
	struct km_err err;

	TAP_OK(btf && !km_probe_offsets(btf, &offsets), "%s: its per-CPU variables are found",
	       path);
	TAP_EQ(offsets.runqueues, runqueues, "runqueues");
	TAP_EQ(offsets.preempt_count, preempt_count, "the preemption count");
	TAP_EQ(offsets.cpu_number, cpu_number, "the number of the CPU");
	TAP_OK(btf && !km_programs_choose(btf, KM_GROUPS_ALL, true, &choice, &err),
	       "its tracepoints are known");
	TAP_EQ(choice.groups, KM_GROUPS_ALL, "all groups can be recorded");
	btf__free(btf);
}

static void compare(const struct btf *whole, const struct btf *cut)
{
	char *facts = km_btf_facts(whole), *cut_facts = km_btf_facts(cut);
	struct km_program_choice choice = {0}, cut_choice = {0};
	struct km_percpu_offsets offsets = {0}, cut_offsets = {0};
	struct km_err err;
	int ret = km_programs_choose(whole, KM_GROUPS_ALL, true, &choice, &err);
	int cut_ret = km_programs_choose(cut, KM_GROUPS_ALL, true, &cut_choice, &err);

	TAP_OK(facts && strstr(facts, "sizeof(struct page)="), "there are facts");
	TAP_OK(facts && cut_facts && strcmp(facts, cut_facts) == 0, "the cut tells the same");
	free(facts);
	free(cut_facts);
	TAP_EQ(cut_ret, ret, "the same verdict");
	TAP_OK(memcmp(&choice, &cut_choice, sizeof(choice)) == 0, "the same programs");
	ret = km_probe_offsets(whole, &offsets);
	TAP_EQ(km_probe_offsets(cut, &cut_offsets), ret, "per-CPU variables are found in both");
	TAP_OK(memcmp(&offsets, &cut_offsets, sizeof(offsets)) == 0, "at the same places");
}

static void test_this_kernel(const char *path)
{
	struct btf *whole = btf__parse(VMLINUX, NULL), *cut;
	struct km_err err;

	TAP_EQ(km_btf_cut(whole, path, &err), 0, "this kernel's BTF is cut");
	cut = btf__parse(path, NULL);
	TAP_OK(cut && btf__type_cnt(cut) < 1000, "to a few types");
	if (cut)
		compare(whole, cut);
	btf__free(cut);
	TAP_EQ(km_btf_cut(whole, "/no/such/directory/cut.btf", &err), -ENOENT,
	       "where nothing can be written, that is told");
	btf__free(whole);
}

int main(void)
{
	char path[] = "/tmp/kmlab-cut-XXXXXX";
	int file = mkstemp(path);

	test_saved("capture/tests/btf/6.1.btf", 203136, 129856, 102752);
	test_saved("capture/tests/btf/6.12.btf", 220800, 217088 + 8, 217088 + 12);
	test_saved("capture/tests/btf/7.2.btf", 205056, 98352, 98356);
	if (access(VMLINUX, R_OK) == 0)
		test_this_kernel(path);
	else
		TAP_OK(true, "this kernel's BTF is cut # SKIP it has none");
	close(file);
	unlink(path);
	return tap_done();
}
