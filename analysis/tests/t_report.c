/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `plot` and `report` over a small result file made here: what was measured is drawn and listed,
 * what was not is left out with its reason, and no name from outside can break the page.
 */
#include "analysis/analysis.h"
#include "analysis/dataset.h"
#include "analysis/figure.h"
#include "analysis/html.h"
#include "results/result.h"
#include "run.h"

#include <math.h>

#define HOSTILE "<script>alert('x')</script> & \"co\""

static char page[1 << 22], other[1 << 22];

/* ---- a result file ---- */

static void latencies(struct km_result *result, int64_t run, uint64_t scale)
{
	static const char *const names[] = {"latency_ns.alloc", "latency_ns.free",
					    "latency_ns.alloc.le64", "latency_ns.alloc.le4k"};
	struct km_hist hist = {0};

	for (uint64_t i = 1; i <= 1000; i++)
		km_hist_add(&hist, i * scale);
	for (unsigned i = 0; i < 4; i++)
		km_result_hist(result, run, names[i], "ns", &hist, NULL);
}

static void curves(struct km_result *result, int64_t run, double scale)
{
	static const char *const names[] = {"pages", "live_bytes_req", "internal_frag",
					    "unusable_order9", "unmovable_2m_share"};
	uint64_t time[32];
	double value[32];

	for (unsigned i = 0; i < 32; i++) {
		time[i] = i * 100000000ull;
		value[i] = i == 7 ? NAN : scale * (1 + i % 5) / 8.0;
	}
	for (unsigned i = 0; i < 5; i++)
		km_result_series(result, run, names[i], "x", 32, time, value, NULL);
}

static void add_run(struct km_result *result, int64_t trace, const char *model, unsigned rep)
{
	const struct km_run_key key = {trace, model, "{}", 1, rep};
	bool kernel = !strcmp(model, "kernel"), null = !strcmp(model, "null");
	double p50[] = {10, 30, 20};
	int64_t run;

	km_result_add_run(result, &key, &run, NULL);
	if (kernel)
		km_result_note(result, run, "latency_ns.why", "nothing was executed", NULL);
	else
		latencies(result, run, !strcmp(model, "vmalloc") ? 100 : null ? 1 + rep : 1);
	if (!kernel)
		km_result_metric(result, run, "latency_ns.alloc.p50", "ns",
				 p50[rep % 3] * (null ? 1 + rep : 1), true, NULL);
	if (null)
		return;
	curves(result, run, 1 + (double)strlen(model) / 10);
	km_result_metric(result, run, "pages.peak", "pages", 2560, false, NULL);
	km_result_metric(result, run, "tlb_entries_4k.peak", "entries", 2560, false, NULL);
	km_result_path(result, run, "slab_fast", 1234567, NULL);
	km_result_note(result, run, "tlb.why", HOSTILE, NULL);
}

/* `linux_model` is the second of four models. */
static bool make_result(const char *path, const char *linux_model)
{
	static const char *const facts[][2] = {{"kernel", "6.1.0-test"},
					       {"command", HOSTILE},
					       {"events_total", "1000"},
					       {"lost_total", "10"},
					       {"filtered_null", "5"},
					       {"filtered_self", "5"},
					       {"filtered_sampled", "0"},
					       {"fired", "1020"},
					       {"coverage", "0.98"},
					       {"fidelity_bytes_alloc_checked", "200"},
					       {"fidelity_bytes_alloc_matched", "150"},
					       {"fidelity_geometry_checked", "100000"},
					       {"fidelity_geometry_matched", "99999"},
					       {"fidelity_slab_choice_checked", "0"},
					       {"fidelity_slab_choice_matched", "0"}};
	const char *const models[] = {"kernel", linux_model, "vmalloc", "null"};
	struct km_result *result;
	struct km_hist hist = {0};
	struct km_err err = {""};
	int64_t trace;

	if (km_result_create(path, &result, &err) ||
	    km_result_add_trace(result, "uuid-1", "dir/" HOSTILE ".kmt", &trace, &err)) {
		printf("# %s\n", err.text);
		return false;
	}
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		km_result_trace_fact(result, trace, facts[i][0], facts[i][1], NULL);
	for (uint64_t i = 0; i < 100; i++)
		km_hist_add(&hist, 1 + i * i);
	km_result_trace_hist(result, trace, "size_req", "bytes", &hist, NULL);
	km_result_trace_hist(result, trace, "size_alloc", "bytes", &hist, NULL);
	for (unsigned i = 0; i < 4; i++)
		for (unsigned rep = 0; rep < 3; rep++)
			add_run(result, trace, models[i], rep);
	return !km_result_close(result, &err);
}

/* ---- the parts ---- */

static void test_dataset(void)
{
	static struct km_hist hist;
	struct km_hist *runs;
	struct km_dataset dataset;
	struct km_err err = {""};
	const struct km_machine_runs *slub;
	struct km_spread spread;

	TAP_EQ(km_dataset_open("r.kmr", &dataset, &err), 0, "the result file is read");
	TAP_EQ(dataset.count, 1, "it has one trace");
	TAP_EQ(dataset.traces[0].machine_count, 4, "and four machines");
	slub = &dataset.traces[0].machines[1];
	TAP_EQ(slub->count, 3, "of three runs each");
	spread = km_dataset_metric(&dataset, slub, "latency_ns.alloc.p50");
	TAP_OK(spread.median == 20 && spread.min == 10 && spread.max == 30, "medians over runs");
	spread = km_dataset_metric(&dataset, slub, "nothing");
	TAP_OK(!spread.count && isnan(spread.median), "what was not measured is not a number");
	km_dataset_hist(&dataset, slub, "latency_ns.alloc", &hist);
	TAP_EQ(hist.total, 3000, "histograms are merged");
	TAP_EQ(km_dataset_hists(&dataset, slub, "latency_ns.alloc", &runs), 3, "or one by one");
	TAP_OK(runs && runs[0].total == 1000 && runs[2].total == 1000, "each whole");
	free(runs);
	TAP_EQ(km_dataset_hists(&dataset, slub, "nothing", &runs), 0, "none of what was not timed");
	free(runs);
	spread = km_dataset_ratio(&dataset, &dataset.traces[0].machines[3], slub,
				  "latency_ns.alloc.p50");
	TAP_OK(spread.median == 2 && spread.min == 1 && spread.max == 3 && spread.count == 3,
	       "ratios are of the runs of one turn");
	TAP_OK(!strcmp(km_missing_reason(&dataset, &dataset.traces[0].machines[0],
					 "latency_ns.alloc.p50"),
		       "nothing was executed"),
	       "the reason comes from the run's notes");
	km_dataset_close(&dataset);
}

static void test_svg(void)
{
	static const char svg[] = "<?xml version=\"1.0\"?>\n<svg viewBox=\"0 0 1 1\">\n"
				  "<title>Gnuplot</title><desc>Produced by G</desc>"
				  "<g id=\"a\"><path id='b'/><use xlink:href='#b'/>"
				  "<rect fill=\"url(#c)\" width='1'/></g></svg>\n";
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	int code = km_html_svg(out, svg, "fig", "T<", "D");

	fclose(out);
	TAP_EQ(code, 0, "a drawing is taken into a page");
	TAP_OK(!strncmp(text, "<svg role=\"img\"", 15), "without its XML head");
	TAP_OK(strstr(text, "<g id=\"fig-a\"><path id='fig-b'/><use xlink:href='#fig-b'/>"
			    "<rect fill=\"url(#fig-c)\" width='1'/>") != NULL,
	       "with names of its own");
	TAP_OK(strstr(text, ">T&lt;</title>") && !strstr(text, "Gnuplot"), "and its own title");
	free(text);
	out = open_memstream(&text, &length);
	TAP_OK(km_html_svg(out, "no drawing", "fig", "", "") < 0, "what is no drawing is refused");
	fclose(out);
	free(text);
}

/* ---- the commands ---- */

static bool gnuplot_here(void)
{
	return system("command -v gnuplot >/dev/null 2>&1") == 0;
}

static bool same_file(const char *a, const char *b)
{
	size_t length = slurp(a, page, sizeof(page));

	return length && length == slurp(b, other, sizeof(other)) && !memcmp(page, other, length);
}

static void test_plot(void)
{
	static const char *const files[] = {
		"latency-alloc",           "latency-free",           "footprint",
		"internal-fragmentation",  "external-fragmentation", "sizes",
		"kmalloc-vmalloc-latency", "kmalloc-vmalloc-memory"};
	static const char *const suffixes[] = {"dat", "gp", "svg"};
	char first[96], second[96];

	TAP_EQ(RUN(km_cmd_plot, "r.kmr", "-o", "a/b/c", "-f", "json"), 0, "plot succeeds");
	TAP_EQ(json_number("$.schema"), 1, "its JSON document says its schema");
	RUN(km_cmd_plot, "r.kmr", "-o", "again");
	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		bool same = true;

		for (unsigned k = 0; k < 3; k++) {
			snprintf(first, sizeof(first), "a/b/c/%s.%s", files[i], suffixes[k]);
			snprintf(second, sizeof(second), "again/%s.%s", files[i], suffixes[k]);
			same &= same_file(first, second);
		}
		TAP_OK(same, "%s: data, script and picture, the same each time", files[i]);
	}
	slurp("again/latency-alloc.dat", page, sizeof(page));
	TAP_OK(strstr(page, ": slub\n") && !strstr(page, ": kernel\n"),
	       "a model without latencies has no latency curve");
	slurp("again/footprint.dat", page, sizeof(page));
	TAP_OK(strstr(page, ": kernel\n") && !strstr(page, ": null\n"),
	       "a model without pages has no footprint curve");
	TAP_OK(strstr(page, "0.7\tNaN\n") != NULL, "a point that was not measured is NaN");
	TAP_OK(access("again/lifetimes.svg", F_OK), "a figure without data is not drawn");
	TAP_OK(system("cd again && rm sizes.svg && gnuplot sizes.gp 2>gp.err") == 0 &&
		       same_file("again/sizes.svg", "a/b/c/sizes.svg"),
	       "the script stands on its own");
	TAP_OK(system("find . -name '.*.tmp' | grep -q .") != 0, "no temporary file is left");
}

static unsigned repeated_ids(const char *html)
{
	unsigned repeated = 0;

	for (const char *at = html; (at = strstr(at, " id=")); at += 4) {
		char name[96];
		size_t length = strcspn(at + 5, "\"'");

		if (length + 8 > sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)length + 6, at);
		repeated += strstr(at + 4, name) != NULL;
	}
	return repeated;
}

static void test_report(void)
{
	TAP_EQ(RUN(km_cmd_report, "r.kmr", "-o", "out"), 0, "report succeeds");
	TAP_OK(!strcmp(ran.out, "out/index.html\n"), "and prints where the page is, nothing else");
	slurp("out/index.html", page, sizeof(page));
	TAP_OK(!strstr(page, "<script") && !strstr(page, "src=") && !strstr(page, "@import"),
	       "the page has no script and fetches nothing");
	TAP_OK(strstr(page, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;co&quot;"),
	       "names from outside are escaped");
	TAP_EQ(repeated_ids(page), 0, "every id is there once");
	TAP_OK(strstr(page, "<b>75.00 %</b>") != NULL, "fidelity is stated");
	TAP_OK(strstr(page, "&lt; 99.99 %") != NULL, "99.999 %% is not called 100 %%");
	TAP_OK(strstr(page, "<b>not measured</b><span>slab choice") != NULL,
	       "a check of nothing is not a score");
	TAP_OK(strstr(page, "98.00 %</strong> of the events") != NULL, "coverage is stated");
	TAP_OK(strstr(page, "The ledger adds up") != NULL, "the loss ledger is checked");
	TAP_OK(strstr(page, "not measured<sup>") && strstr(page, "nothing was executed"),
	       "missing numbers say so, with the reason");
	TAP_OK(strstr(page, "10.0 MiB") != NULL, "peak memory is in the headline");
	TAP_OK(strstr(page, "1 234 567") != NULL, "paths are listed");
	TAP_OK(strstr(page, "<strong>vmalloc</strong>: 1.00 times the median allocation latency of "
			    "slub, 1.00 times its peak memory"),
	       "models are compared with slub");
	TAP_OK(strstr(page, "<strong>null</strong>: 2.00 times (1.00 to 3.00 in 3 runs) the median "
			    "allocation latency of slub</li>"),
	       "with the range over the runs where they differ");
	TAP_OK(strstr(page, "shaded: lowest to highest run") != NULL, "as the curves are");
	TAP_EQ(RUN(km_cmd_report, "r.kmr", "-o", "out2", "-f", "json"), 0, "as JSON");
	TAP_OK(!strcmp(json_at("$.report"), "out2/index.html"), "with the path");
	TAP_OK(same_file("out/index.html", "out2/index.html"), "the same page each time");
}

static void test_reference(void)
{
	TAP_OK(make_result("gen.kmr", "slub@6.1"), "a result without slub itself");
	TAP_EQ(RUN(km_cmd_report, "gen.kmr", "-o", "gen"), 0, "gives a report");
	slurp("gen/index.html", page, sizeof(page));
	TAP_OK(strstr(page, "<strong>vmalloc</strong>: 1.00 times the median allocation latency of "
			    "slub@6.1, 1.00 times its peak memory"),
	       "where models are compared with the first that was timed");
	TAP_OK(!strstr(page, "<strong>slub@6.1</strong>: "), "which is not compared with itself");
}

static void test_gnuplot_trouble(void)
{
	static const char failing[] = "#!/bin/sh\necho half > .latency-alloc.svg.tmp\n"
				      "echo 'line 3: broken' >&2\nexit 1\n";
	char path[4096];

	snprintf(path, sizeof(path), "%s", getenv("PATH"));
	setenv("PATH", "/nonexistent", 1);
	TAP_EQ(RUN(km_cmd_report, "r.kmr", "-o", "out"), 0, "without gnuplot there is a report");
	slurp("out/index.html", page, sizeof(page));
	TAP_OK(strstr(page, "gnuplot was not installed") && !strstr(page, "<svg"),
	       "that says why it has no pictures, and shows none of an earlier one");
	TAP_OK(strstr(ran.err, "install gnuplot-nox") != NULL, "and stderr says what to install");
	TAP_EQ(RUN(km_cmd_plot, "r.kmr", "-o", "out"), 2, "plot cannot do without");
	TAP_OK(strstr(ran.err, "install gnuplot-nox") != NULL, "and says what to install");
	setenv("PATH", path, 1);

	mkdir("bin", 0777);
	write_text("bin/gnuplot", failing, strlen(failing));
	chmod("bin/gnuplot", 0755);
	if (getcwd(other, sizeof(other)))
		snprintf(path, sizeof(path), "%.1000s/bin:/bin:/usr/bin", other);
	setenv("PATH", path, 1);
	TAP_EQ(RUN(km_cmd_plot, "r.kmr", "-o", "broken"), 2, "a gnuplot that fails is exit 2");
	TAP_OK(one_sentence() && strstr(ran.err, "line 3: broken"), "with its reason");
	TAP_OK(access("broken/latency-alloc.svg", F_OK) &&
		       access("broken/.latency-alloc.svg.tmp", F_OK),
	       "and no half picture");
}

static void bad_file(const char *path, const char *what)
{
	RUN(km_cmd_report, (char *)path, "-o", "bad");
	if (!TAP_OK(ran.status == 2 && one_sentence(), "%s is one sentence, exit 2", what))
		printf("# status %d, stdout %s, stderr %s\n", ran.status, ran.out, ran.err);
}

static void test_bad_files(void)
{
	struct km_result *result;

	write_text("foreign.kmr", "this is not a result\n", 21);
	truncate_copy("r.kmr", "truncated.kmr");
	newer_copy("r.kmr", "newer.kmr");
	if (!km_result_create("empty.kmr", &result, NULL))
		km_result_close(result, NULL);
	bad_file("absent.kmr", "a file that is not there");
	bad_file("foreign.kmr", "a foreign file");
	bad_file("truncated.kmr", "a truncated result");
	bad_file("newer.kmr", "a result from a newer program");
	bad_file("empty.kmr", "a result without runs");
	RUN(km_cmd_report, "r.kmr", "-o", "r.kmr/inside");
	TAP_OK(ran.status == 2 && one_sentence(), "a directory that cannot be made: one sentence");
	RUN(km_cmd_report, "r.kmr", "-o", "/proc/kmlab");
	TAP_OK(ran.status == 2 && one_sentence(), "a directory that cannot be written: the same");
	TAP_EQ(RUN(km_cmd_report, "r.kmr", "second.kmr"), 2, "two files are exit 2");
	TAP_EQ(RUN(km_cmd_plot, "r.kmr", "-f", "xml"), 2, "an unknown format is exit 2");
}

int main(void)
{
	enter_scratch();
	if (!TAP_OK(make_result("r.kmr", "slub"), "a result file is written")) {
		leave_scratch();
		return tap_done();
	}
	test_dataset();
	test_svg();
	test_bad_files();
	if (gnuplot_here()) {
		test_plot();
		test_report();
		test_reference();
		test_gnuplot_trouble();
	} else {
		printf("# gnuplot is not installed: the figures are not tested\n");
	}
	leave_scratch();
	return tap_done();
}
