/* SPDX-License-Identifier: GPL-2.0-only */
/* Which references the access models make of three objects, counted by hand; and named TLBs. */
#include "replay/tlb_access.h"

#include <errno.h>
#include <string.h>

#include "engine/tests/tap.h"
#include "replay/tests/small_trace.h"

/* 64 bytes freed, 100 bytes freed, 10 000 zeroed bytes kept; of three sites. */
static struct km_trace *make_trace(void)
{
	struct km_event small = kmalloc_event(page_addr(1024), 64, 64);
	struct km_event medium = kmalloc_event(page_addr(1025), 100, 128);
	struct km_event large = kmalloc_event(page_addr(1028), 10000, 16384);
	struct small_trace trace;

	if (!small_trace_begin(&trace))
		return NULL;
	small.site = km_trace_site_id(trace.writer, 0xffffffff81000010);
	medium.site = km_trace_site_id(trace.writer, 0xffffffff81000020);
	large.site = km_trace_site_id(trace.writer, 0xffffffff81000030);
	large.gfp |= KM_GFP_ZERO;
	small_trace_add(&trace, 0, small);
	small_trace_add(&trace, 0, medium);
	small_trace_add(&trace, 1, large);
	small_trace_add(&trace, 1, kfree_event(page_addr(1024)));
	small_trace_add(&trace, 0, kfree_event(page_addr(1025)));
	return small_trace_end(&trace);
}

struct fixture {
	struct km_trace *trace;
	struct km_program *program;
	struct km_start start;
	struct km_tlb_choice tlb;
	struct km_access_spec access;
};

static struct km_tlb_measures *measure(struct fixture *fixture, const char *model, uint32_t site)
{
	struct km_model_choice choice;
	struct km_tlb_measures *measures = NULL;
	struct km_err err = {""};
	struct km_tlb_pass pass = {
		.program = fixture->program,
		.trace = fixture->trace,
		.start = &fixture->start,
		.model = &choice,
		.tlb = &fixture->tlb,
		.access = &fixture->access,
		.seed = 1,
		.site_to_vmalloc = site,
	};

	if (km_model_choice_parse(model, &choice, &err) || km_tlb_measure(&pass, &measures, &err)) {
		printf("# %s\n", err.text);
		return NULL;
	}
	return measures;
}

/* Beyond the live objects' A0: three allocations, each with L touches of what is live. */
static void check_refs(struct fixture *fixture, const char *model, uint32_t site, uint64_t a0,
		       const char *what)
{
	struct km_tlb_measures *measures = measure(fixture, model, site);
	const uint64_t lines = 1 + 2 + 2 * 157, touches[KM_ACCESSES] = {0, lines, 3, 12, 48};

	if (!TAP_OK(measures != NULL, "%s is measured", what))
		return;
	for (unsigned access = 0; access < KM_ACCESSES; access++)
		for (unsigned map = 0; map < KM_TLB_SPLIT; map++)
			if (measures->lanes[access][map].refs != a0 + touches[access])
				TAP_EQ(measures->lanes[access][map].refs, a0 + touches[access],
				       "%s: references of %s", what, fixture->access.names[access]);
	TAP_EQ(measures->lanes[0][0].refs, a0, "%s: references of A0", what);
	TAP_EQ(measures->classes[0][0].counts.refs + measures->classes[1][0].counts.refs +
		       measures->classes[4][0].counts.refs,
	       a0, "%s: the size classes add up", what);
	TAP_OK(measures->miss_ratio[0][0] >= measures->miss_ratio[0][KM_TLB_CAPACITIES - 1],
	       "%s: more entries miss no more", what);
	km_tlb_measures_free(measures);
}

/*
 * slub: the free pointer and the first line of 64 bytes; of 100 bytes the last line, too; the
 * free pointer, the page's structure and the same lines when freed; 10 000 bytes are three pages'
 * structures and two lines. vmalloc: a structure and the lines for each, but three for the large.
 */
static void test_references(struct fixture *fixture)
{
	struct km_tlb_measures *measures;

	check_refs(fixture, "slub", UINT32_MAX, (2 + 3) + (3 + 4) + (3 + 2), "slub");
	check_refs(fixture, "vmalloc", UINT32_MAX, (2 + 2) + (3 + 3) + (3 + 2), "vmalloc");
	check_refs(fixture, "buddy", UINT32_MAX, (2 + 2) + (3 + 3) + (3 + 2), "buddy");
	check_refs(fixture, "slub", 2, (2 + 3) + (3 + 3) + (3 + 2), "slub with a site on vmalloc");
	measures = measure(fixture, "null", UINT32_MAX);
	TAP_OK(measures && strstr(measures->why, "places nothing"),
	       "a model that places nothing says so");
	km_tlb_measures_free(measures);
}

/* Three cold pages of 4 KiB at least; in one 1 GiB page the objects share theirs. */
static void test_sizes(struct fixture *fixture)
{
	struct km_tlb_measures *measures = measure(fixture, "slub", UINT32_MAX);
	uint64_t giant = measures ? measures->lanes[1][0].l2_misses : 0;
	uint64_t small = measures ? measures->lanes[1][2].l2_misses : 0;

	TAP_OK(giant > 0 && giant < small, "walks with 1 GiB pages: %llu, with 4 KiB: %llu",
	       (unsigned long long)giant, (unsigned long long)small);
	km_tlb_measures_free(measures);
}

static void test_names(void)
{
	static const char *const known[] = {"skylake", "golden-cove", "zen3", "zen4",
					    "neoverse-n1"};
	struct km_tlb_choice choice;
	struct km_err err = {""};
	struct test_tlb {
		struct km_env env;
		struct km_tlb *tlb;
	} test;

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		TAP_EQ(km_tlb_choose(known[i], &choice, &err), 0, "%s is known", known[i]);
		TAP_OK(!choice.calibrated && choice.why[0] && choice.text[0],
		       "and not calibrated: %s", choice.why);
		km_host_env(&test.env, 1);
		TAP_EQ(km_tlb_create(&test.env, &choice.spec, &test.tlb), 0, "it can be made");
		km_tlb_destroy(test.tlb);
	}
	TAP_EQ(km_tlb_choose("pentium", &choice, &err), -EINVAL, "others are not: %s", err.text);
	setenv("XDG_DATA_HOME", "/nonexistent", 1);
	TAP_EQ(km_tlb_choose("host", &choice, &err), 0, "host without a calibration is a core");
	TAP_OK(!choice.calibrated && strstr(choice.why, "kmlab tlb calibrate"),
	       "and says what to do: %s", choice.why);
}

static void test_accesses(void)
{
	static const struct {
		const char *text, *names;
		unsigned which;
	} good[] = {
		{"A0", "A0 A1 A2:1 A2:4 A2:16", 0},
		{"A1", "A0 A1 A2:1 A2:4 A2:16", 1},
		{"A2:16", "A0 A1 A2:1 A2:4 A2:16", 4},
		{"A2:4:0.9", "A0 A1 A2:1:0.9 A2:4:0.9 A2:16:0.9", 3},
		{"A2:20", "A0 A1 A2:5 A2:20 A2:80", 3},
		{"A2:2:0", "A0 A1 A2:1:0 A2:2:0 A2:8:0", 3},
		{"A2:256:4", "A0 A1 A2:64:4 A2:256:4 A2:1024:4", 3},
	};
	static const char *const bad[] = {"",       "A3",        "A2",       "A2:",    "A2:0",
					  "A2:-4",  "A2:4x",     "A2:257",   "A2:4:5", "A2:4:-1",
					  "A2:4:x", "A2:4:0.9x", "A2:4:nan", "a0"};
	struct km_access_spec spec;
	struct km_err err = {""};

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char names[128] = "";

		TAP_EQ(km_access_parse(good[i].text, &spec, &err), 0, "%s", good[i].text);
		for (unsigned k = 0; k < KM_ACCESSES; k++)
			snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
				 k ? " " : "", spec.names[k]);
		TAP_OK(!strcmp(names, good[i].names) && spec.which == good[i].which,
		       "stands for %s, number %u", names, spec.which);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		TAP_EQ(km_access_parse(bad[i], &spec, &err), -EINVAL, "'%s': %s", bad[i], err.text);
}

/* 99 objects of 64 bytes stay, then one comes and goes many times: who is touched then? */
struct touched {
	uint64_t addr[100];
	uint64_t count[100];
	unsigned nr;
};

static void note_touch(void *to, unsigned cpu, unsigned mask, uint64_t addr, size_t op)
{
	struct touched *touched = to;
	unsigned i = 0;

	(void)cpu;
	if (op != SIZE_MAX || !(mask & 8))
		return;
	while (i < touched->nr && touched->addr[i] != addr)
		i++;
	if (i == touched->nr && touched->nr < 100)
		touched->addr[touched->nr++] = addr;
	if (i < 100)
		touched->count[i]++;
}

/* The share of the touches that fall on the first ten of 100 live objects. */
static double head_share(const char *access_text)
{
	struct km_access_spec spec;
	struct km_model_choice choice;
	struct km_access access = {.spec = &spec, .site_to_vmalloc = UINT32_MAX};
	struct small_trace trace;
	struct km_trace *opened = NULL;
	struct km_program *program = NULL;
	struct km_start start;
	struct km_err err = {""};
	struct touched touched = {{0}, {0}, 0};
	uint64_t head = 0, all = 0, first[10];

	if (small_trace_begin(&trace)) {
		for (unsigned i = 0; i < 99; i++)
			small_trace_add(&trace, 0, kmalloc_event(page_addr(1024 + i), 64, 64));
		for (unsigned i = 0; i < 2000; i++) {
			small_trace_add(&trace, 0, kmalloc_event(page_addr(2048), 64, 64));
			small_trace_add(&trace, 0, kfree_event(page_addr(2048)));
		}
		opened = small_trace_end(&trace);
	}
	if (!opened || km_start_read(opened, &start, &err) ||
	    km_compile(opened, NULL, NULL, &program, &err) ||
	    km_access_parse(access_text, &spec, &err) ||
	    km_model_choice_parse("slub", &choice, &err) ||
	    km_replayer_create(program, opened, &start, &choice, 1, &access.replayer, &err)) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	access.touch = note_touch;
	access.to = &touched;
	if (km_access_begin(&access, 1))
		exit(1);
	for (size_t i = 0; i < program->nr_ops; i++) {
		if (i == 99)
			memset(&touched, 0, sizeof(touched));
		km_access_step(&access, i);
		if (i < 10)
			first[i] = access.replayer->addr[program->ops[i].slot];
	}
	for (unsigned i = 0; i < touched.nr; i++) {
		all += touched.count[i];
		for (unsigned k = 0; k < 10; k++)
			head += first[k] == touched.addr[i] ? touched.count[i] : 0;
	}
	TAP_EQ(all, 2000 * spec.lambda[1], "%s: touches per allocation", access_text);
	km_access_end(&access);
	km_replayer_destroy(access.replayer);
	km_program_free(program);
	km_trace_close(opened);
	return (double)head / (double)all;
}

/* Of 100 objects the first ten have a share of log(11) / log(101) with skew 1, (11^s-1) / (101^s-1)
 * with 1-s; a tenth without skew. */
static void test_skew(void)
{
	static const struct {
		const char *access;
		double share;
	} cases[] = {{"A2:4:0", 0.1}, {"A2:4:0.5", 0.2565}, {"A2:4", 0.5196}, {"A2:4:2", 0.9182}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double share = head_share(cases[i].access);

		TAP_OK(share > cases[i].share - 0.02 && share < cases[i].share + 0.02,
		       "%s: the first tenth gets %.3f of the touches, %.3f expected",
		       cases[i].access, share, cases[i].share);
	}
}

int main(void)
{
	struct fixture fixture = {.trace = make_trace()};
	struct km_err err = {""};

	test_names();
	test_accesses();
	test_skew();
	if (!fixture.trace || km_start_read(fixture.trace, &fixture.start, &err) ||
	    km_compile(fixture.trace, NULL, NULL, &fixture.program, &err) ||
	    km_tlb_choose("golden-cove", &fixture.tlb, &err)) {
		TAP_OK(false, "a trace is made and compiled: %s", err.text);
		return tap_done();
	}
	km_access_parse("A0", &fixture.access, &err);
	test_references(&fixture);
	test_sizes(&fixture);
	km_program_free(fixture.program);
	km_trace_close(fixture.trace);
	return tap_done();
}
