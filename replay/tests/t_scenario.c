/* SPDX-License-Identifier: GPL-2.0-only */
/* Scenarios: what the parser takes and refuses, rules that a running call may break, comparison. */
#include <string.h>

#include "engine/tests/tap.h"
#include "replay/run.h"

static struct km_scenario scenario;
static struct km_err err;

static int parse(const char *text)
{
	char *copy = strdup(text);
	int code;

	err.text[0] = 0;
	code = km_scenario_parse("t.kms", copy, &scenario, &err);
	free(copy);
	return code;
}

/* The text is refused with a message that has `fragment`. */
static void refused(const char *text, const char *fragment)
{
	int code = parse(text);

	TAP_OK(code != 0 && strstr(err.text, fragment) && !strchr(err.text, '\n'), "refused: %s",
	       fragment);
	if (!code)
		km_scenario_free(&scenario);
	else if (!strstr(err.text, fragment))
		printf("# %s\n", err.text);
}

static void test_parser(void)
{
	const struct km_scenario_call *call;

	TAP_EQ(parse("#!kmlab scenario 1\n"
		     "machine memory=2G cpus=4 kernel=6.12 vmap_nodes=0\n"
		     "c = kmem_cache_create(\"mine\", 0x68, 8, SLAB_HWCACHE_ALIGN | SLAB_PANIC, "
		     "NULL)\n"
		     "void *p = kmalloc(4 * PAGE_SIZE, GFP_KERNEL | __GFP_ZERO); # code as copied\n"
		     "g = alloc_pages(0xcc0, 2) -> pfn 0x3a15 @3\n"
		     "\n"
		     "kfree(p)   @1 // end\n"
		     "context atomic\n"
		     "n = kcalloc(1K, 2M, GFP_ATOMIC) -> NULL\n"),
	       0, "a scenario parses");
	TAP_EQ(scenario.nr_calls, 6, "six calls");
	TAP_EQ(scenario.spec.memory_bytes, 2ull << 30, "memory=2G");
	TAP_EQ(scenario.spec.cpus, 4, "cpus=4");
	TAP_OK(strcmp(scenario.spec.profile.name, "6.12") == 0 && !scenario.spec.profile.vmap_nodes,
	       "the kernel sets the switches, a switch then overrides");
	call = scenario.calls;
	TAP_OK(call[0].args[0].number == 0x68 &&
		       call[0].args[2].number == (KM_SLAB_HWCACHE_ALIGN | KM_SLAB_PANIC) &&
		       strcmp(call[0].label, "mine") == 0,
	       "name, size, flags of a cache");
	TAP_EQ(call[1].args[0].number, 16384, "a product");
	TAP_EQ(call[1].args[1].number, KM_GFP_KERNEL | KM_GFP_ZERO, "flags by name");
	TAP_OK(call[2].want == KM_WANT_PFN && call[2].want_value == 0x3a15 && call[2].cpu == 3,
	       "result and CPU in either order");
	TAP_OK(call[3].args[0].variable == call[1].target && call[3].cpu == 1 && call[3].line == 7,
	       "a variable is found again, lines are counted");
	TAP_OK(call[4].args[0].number == 1, "context atomic");
	TAP_OK(call[5].want == KM_WANT_NULL && call[5].args[1].number == 2ull << 20 &&
		       call[5].args[2].number == KM_GFP_ATOMIC,
	       "K, M, NULL, GFP_ATOMIC without the bit 6.3 dropped");
	km_scenario_free(&scenario);

	parse("machine kernel=6.1\np = kmalloc(8, GFP_ATOMIC)");
	TAP_EQ(scenario.calls[0].args[1].number, KM_GFP_ATOMIC | KM_GFP_ATOMIC_BIT,
	       "GFP_ATOMIC of 6.1 has its own bit");
	km_scenario_free(&scenario);
}

static void test_errors(void)
{
	refused("p = kmaloc(8, GFP_KERNEL)", "t.kms:1: unknown call kmaloc");
	refused("\n\nkfree(p)", "t.kms:3: variable p is used before");
	refused("p = kmalloc(8, GFP_KERNAL)", "unknown gfp flag GFP_KERNAL");
	refused("p = kmalloc(8)", "kmalloc wants more arguments");
	refused("p = kmalloc(8, GFP_KERNEL", "expected \")\"");
	refused("p = kmalloc(eight, GFP_KERNEL)", "\"eight\" is not a number");
	refused("p = kmalloc(8, GFP_KERNEL) @1", "CPU 1 does not exist");
	refused("p = kmalloc(8, GFP_KERNEL) -> yes", "is not a result");
	refused("p = kmalloc(8, GFP_KERNEL) !", "unexpected \"!\"");
	refused("p = kfree(NULL)", "kfree returns nothing");
	refused("p = kmalloc(8, GFP_KERNEL) -> flushed 0", "stands once, behind kmem_cache_shrink");
	refused("c = kmem_cache_create(8, 0)\nkmem_cache_shrink(c) -> flushed 1",
		"none of the machine's 1");
	refused("c = kmem_cache_create(8, 0)\nkmem_cache_shrink(c) -> flushed 0 0", "more CPUs");
	refused("c = kmem_cache_create(8, 0)\nkmem_cache_shrink(c) -> flushed", "expected CPUs");
	refused("kmem_cache_create(8, 0)", "the cache has no name");
	refused("p = kmalloc(18446744073709551616, GFP_KERNEL)", "not a number");
	refused("p = kmalloc(17179869184G, GFP_KERNEL)", "not a number");
	refused("context irq", "context is");
	refused("machine kernel=new", "is not a release");
	refused("machine cpus=0", "outside 1..1024");
	refused("machine flux=1", "unknown machine switch flux");
	refused("machine memory", "expected switch=value");
	refused("kfree(NULL)\nmachine cpus=2", "the machine line must come first");
	refused("state begin\nvfree 1-2\n", "has no \"state end\"");
	refused("expect begin\nexpect end\nexpect begin\nexpect end", "a second expect block");
	refused("state begin\nzone DMA big\nstate end", "t.kms:2: expected zone NAME");
	refused("state begin\nzone Low start 1 spanned 1 present 1 managed 1\nstate end",
		"unknown zone Low");
}

static int run_text(const char *text, bool check, struct km_scenario_run *run)
{
	struct km_run_options options = {.seed = 1, .check = check, .state = true};
	int code = parse(text);

	if (!code) {
		code = km_run_scenario(&scenario, &options, run, &err);
		if (code)
			km_scenario_free(&scenario);
	}
	return code;
}

/* Row `row` of the text has a note with `fragment`, and nothing else was changed by it. */
static void broken(const char *text, size_t row, const char *fragment)
{
	struct km_scenario_run run;

	if (run_text(text, false, &run)) {
		TAP_OK(false, "%s: %s", fragment, err.text);
		return;
	}
	TAP_OK(run.rows[row].note && strstr(run.rows[row].note, fragment), "noted: %s", fragment);
	km_scenario_run_free(&run);
	km_scenario_free(&scenario);
}

static void test_rules(void)
{
	broken("p = kmalloc(8, GFP_KERNEL)\nkfree(p)\nkfree(p)", 2, "double free: line 2 freed p");
	broken("kfree(0xffff888000001000)", 0, "not allocated here");
	broken("v = vmalloc(8)\nkfree(v)", 1, "kfree cannot free a vmalloc area");
	broken("p = kmalloc(8, GFP_KERNEL)\nvfree(p)", 1, "vfree cannot free a slab object");
	broken("g = alloc_pages(GFP_KERNEL, 2)\n__free_pages(g, 1)", 1, "wrong order 1");
	broken("g = alloc_pages(GFP_KERNEL, 0)\nkfree(g)", 1, "kfree cannot free pages");
	broken("a = kmem_cache_create(64, 0)\nb = kmem_cache_create(64, 0)\n"
	       "p = kmem_cache_alloc(a, GFP_KERNEL)\nkmem_cache_free(b, p)",
	       3, "wrong cache: line 3 allocated a slab object of a");
	broken("context atomic\np = kmalloc(8, GFP_KERNEL)", 1, "sleeping flag in atomic context");
	broken("context atomic\nv = vmalloc(8)", 1, "sleeping flag in atomic context");
	broken("p = kcalloc(0x100000000, 0x100000000, GFP_KERNEL)", 0, "overflows");
	broken("g = alloc_pages(GFP_KERNEL, 11)", 0, "above the largest");
	broken("c = kmem_cache_create(0, 0)", 0, "outside 1..4M");
	broken("c = kmem_cache_create(8, 0)\nkmem_cache_free(c, NULL)", 1, "of NULL");
}

static void test_results(void)
{
	struct km_scenario_run run;

	if (!TAP_OK(run_text("p = kmalloc(100, GFP_KERNEL)\n"
			     "q = krealloc(p, 128, GFP_KERNEL)\n"
			     "r = krealloc(q, 129, GFP_KERNEL)\n"
			     "n = ksize(r)\n"
			     "big = kmalloc(9000, GFP_KERNEL)\n"
			     "none = kmalloc(0, GFP_KERNEL)\n"
			     "kfree(none)\n"
			     "gone = krealloc(r, 0, GFP_KERNEL)\n"
			     "huge = kmalloc(5M, GFP_KERNEL)\n"
			     "kfree(huge)\n"
			     "kv = kvmalloc(5M, GFP_KERNEL)\n"
			     "kvfree(kv)\n"
			     "g = __get_free_pages(GFP_KERNEL, 1)\n"
			     "free_pages(g, 1)\n",
			     false, &run) == 0,
		    "a program runs")) {
		printf("# %s\n", err.text);
		return;
	}
	TAP_OK(run.rows[0].bytes_alloc == 128 && strcmp(run.rows[0].cache, "kmalloc-128") == 0,
	       "kmalloc(100) is 128 bytes of kmalloc-128");
	TAP_OK(run.rows[1].result == run.rows[0].result, "krealloc that fits keeps the address");
	TAP_OK(run.rows[2].bytes_alloc == 192 && run.rows[2].result != run.rows[1].result,
	       "krealloc that does not moves");
	TAP_EQ(run.rows[3].bytes_alloc, 192, "ksize");
	TAP_EQ(run.rows[4].bytes_alloc, 16384, "9000 bytes are an order-2 block");
	TAP_EQ(run.rows[5].result, 16, "kmalloc(0) is ZERO_SIZE_PTR");
	TAP_EQ(run.rows[7].result, 16, "krealloc(p, 0) frees");
	TAP_OK(run.rows[8].kind == KM_RESULT_NULL, "kmalloc above 4 MiB is NULL");
	TAP_OK(run.rows[10].kind == KM_RESULT_ADDRESS && km_is_vmalloc_addr(run.rows[10].result),
	       "kvmalloc falls back to vmalloc");
	TAP_OK(run.rows[12].kind == KM_RESULT_ADDRESS && run.rows[12].result >= KM_DIRECT_MAP_BASE,
	       "__get_free_pages gives an address");
	TAP_EQ(run.broken, 0, "no rule broken");
	km_scenario_run_free(&run);
	km_scenario_free(&scenario);
}

/* Answers that agree, then the same with one changed at a time. */
static void test_check(void)
{
	static const char *const texts[] = {
		"c = kmem_cache_create(2048, 0)\n"
		"a = kmem_cache_alloc(c, GFP_KERNEL) -> 0xffff888001000000\n"
		"b = kmem_cache_alloc(c, GFP_KERNEL) -> %s\n"
		"v = vmalloc(4096) -> 0xffffc90000000000\n"
		"w = vmalloc(4096) -> %s\n"
		"expect begin\n"
		"cache c object_size=2048 objs_per_slab=8 slabs=%s\n"
		"expect end\n",
	};
	static const char *const good[] = {"0xffff888001000800", "0xffffc90000002000", "1"};
	static const char *const bad[] = {"0xffff888001008000", "0xffffc90000003000", "2"};

	for (int changed = -1; changed < 3; changed++) {
		char text[1024];
		struct km_scenario_run run;
		uint64_t checked = 0, matched = 0;

		snprintf(text, sizeof(text), texts[0], changed == 0 ? bad[0] : good[0],
			 changed == 1 ? bad[1] : good[1], changed == 2 ? bad[2] : good[2]);
		if (!TAP_OK(run_text(text, true, &run) == 0, "scenario %d runs", changed)) {
			printf("# %s\n", err.text);
			continue;
		}
		for (unsigned kind = 0; kind < KM_NR_CHECKS; kind++) {
			checked += run.check.checked[kind];
			matched += run.check.matched[kind];
		}
		TAP_EQ(checked, 5, "five answers compared");
		TAP_EQ(matched, changed < 0 ? 5 : 4, "as many agree as should");
		TAP_EQ(run.check.nr_mismatches, changed < 0 ? 0 : 1, "mismatches told");
		km_scenario_run_free(&run);
		km_scenario_free(&scenario);
	}
}

/*
 * Two CPUs' slabs, one object of each in use: the one flushed last leads the node's list, and the
 * next object comes from it. Linux says whose it was; the model follows, and else takes the other.
 */
static void test_flush_order(void)
{
	for (unsigned last = 0; last < 2; last++)
		for (unsigned from = 0; from < 2; from++) {
			struct km_scenario_run run;
			char *text;

			if (asprintf(
				    &text,
				    "machine cpus=2\nc = kmem_cache_create(64, 0)\n"
				    "a = kmem_cache_alloc(c, GFP_KERNEL) @0 -> 0xffff888000001000\n"
				    "b = kmem_cache_alloc(c, GFP_KERNEL) @1 -> 0xffff888000002000\n"
				    "kmem_cache_shrink(c) @0 -> flushed %u %u\n"
				    "d = kmem_cache_alloc(c, GFP_KERNEL) @0 -> "
				    "0xffff88800000%u040\n",
				    !last, last, from + 1) < 0)
				return;
			if (TAP_OK(run_text(text, true, &run) == 0, "a shrink with its order")) {
				TAP_EQ(run.check.checked[KM_CHECK_SLAB], 3, "answers compared");
				TAP_EQ(run.check.matched[KM_CHECK_SLAB], last == from ? 3 : 2,
				       "CPU %u flushed last, object of CPU %u's slab", last, from);
				km_scenario_run_free(&run);
				km_scenario_free(&scenario);
			}
			free(text);
		}
}

/* The end state, taken as a start state, ends unchanged. */
static void test_state_round_trip(void)
{
	struct km_scenario_run first, second;
	char *text;
	int code;

	code = run_text("machine memory=64M\n"
			"g = alloc_pages(GFP_KERNEL, 3)\nv = vmalloc(20000)\nw = vmalloc(8192)\n"
			"vfree(v)\nh = alloc_pages(GFP_HIGHUSER_MOVABLE, 0)\n__free_pages(g, 3)\n",
			false, &first);
	TAP_OK(code == 0 && strstr(first.state, "zone DMA start 1 ") &&
		       strstr(first.state, "vlazy 6\n"),
	       "an end state is printed");
	if (code)
		return;
	km_scenario_free(&scenario);
	if (asprintf(&text,
		     "machine memory=64M\nstate begin\n%sstate end\n"
		     "expect begin\n%sexpect end\n",
		     first.state, first.state) < 0)
		return;
	code = run_text(text, true, &second);
	if (!TAP_OK(code == 0, "it is accepted as a start state"))
		printf("# %s\n", err.text);
	if (!code) {
		TAP_OK(second.check.checked[KM_CHECK_END] > 10, "lines are compared");
		TAP_EQ(second.check.matched[KM_CHECK_END], second.check.checked[KM_CHECK_END],
		       "the state is the same again");
		for (unsigned i = 0; i < second.check.nr_mismatches; i++)
			printf("# %s\n", second.check.mismatch[i]);
		km_scenario_run_free(&second);
		km_scenario_free(&scenario);
	}
	free(text);
	km_scenario_run_free(&first);
}

int main(void)
{
	test_parser();
	test_errors();
	test_rules();
	test_results();
	test_check();
	test_flush_order();
	test_state_round_trip();
	return tap_done();
}
