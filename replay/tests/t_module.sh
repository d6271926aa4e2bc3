#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kmlab module: every example says what its .expected says, on every kernel alike; the command's
# options, formats, errors and exit codes. `t_module.sh --accept` writes the .expected files.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
cd "$(dirname "$0")/../.." || exit 1
command -v "${CC:-cc}" >/dev/null || skip_all "no C compiler to build modules with"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
examples=engine/kernel-api/examples

module() { # ARGS…: output in $work/out, $work/err, exit code in $status
	"$KMLAB" module "$@" >"$work/out" 2>"$work/err"
	status=$?
}
exits() { # CODE DESC
	is "$status" "$1" "$2" || sed 's/^/# /' "$work/err" "$work/out" | head -20
}

# Log and findings, then the calls without what depends on where pages are free.
told() { # EXAMPLE: in $work/told
	module --files --format tsv "$examples/$1.c"
	{
		echo "exit $status"
		sed -E 's/0xffff[0-9a-f]{12}/ADDRESS/g; s/ffff[0-9a-f]{12}/ADDRESS/g' "$work/err"
		cut -f 1,3,4,5,8,10,11 "$work/out" | sed -E 's/0xffff[0-9a-f]{12}/ADDRESS/g'
	} >"$work/told"
}

for source in "$examples"/*.c; do
	name=$(basename "$source" .c)
	told "$name"
	[ "${1:-}" != --accept ] || cp "$work/told" "$examples/$name.expected"
	diff "$examples/$name.expected" "$work/told" >"$work/diff"
	ok $? "$name" || sed 's/^/# /' "$work/diff" | head -20
done

# Where things lie.
module "$examples/call_vmalloc.c" --map
exits 0 'a module with --map'
like "$work/out" 'vmalloc range: every page is mapped by an entry of its own' 'the vmalloc range'
like "$work/out" 'A   kmalloc +virtually 1 piece, physically 1 piece|B   kmalloc +virtually 1 piece, physically 1 piece' 'kmalloc is one piece in both'
like "$work/out" 'vzalloc +virtually 1 piece, physically [2-5] pieces' 'vmalloc in one only'
like "$work/out" 'guard page: nothing is mapped' 'its guard page'
module "$examples/call_vmalloc.c" --format tsv
is "$(head -1 "$work/out")" "$(printf 'phase\twhere\tcall\tbytes\tgfp\tresult\tphysical\tcache\tslab\tbytes_alloc\tnote')" 'tsv header'
is "$(awk -F'\t' '$3 == "vzalloc" {print $6}' "$work/out")" 0xffffc90000000000 'an area begins where Linux begins'
read -r virtual physical <<<"$(awk -F'\t' '$3 == "kmalloc" {print $6, $7}' "$work/out")"
is "$((virtual - 0xffff888000000000))" "$((physical))" 'physical = virtual - 0xffff888000000000'

# Flags are the bits that each kernel gives them.
cat >"$work/bits.c" <<'C'
#include <linux/gfp.h>
#include <linux/module.h>
static int __init bits_init(void)
{
	pr_info("atomic %x nowait %x\n", GFP_ATOMIC, GFP_NOWAIT);
	return 0;
}
static void __exit bits_exit(void)
{
}
module_init(bits_init)
module_exit(bits_exit)
MODULE_LICENSE("GPL");
C
for bits in '5.15 a20 800' '6.1 a20 800' '6.6 820 800' '6.12 820 2800' '7.2 820 2800'; do
	read -r kernel atomic nowait <<<"$bits"
	module "$work/bits.c" --kernel "$kernel"
	like "$work/out" "atomic $atomic nowait $nowait\$" "$kernel: GFP_ATOMIC and GFP_NOWAIT"
done
if ! command -v python3 >/dev/null; then
	skip 'JSON' 'python3 is not installed'
else
	module "$examples/bad_double_free.c" --format json
	python3 - "$work/out" 2>"$work/err" <<'PY'
import json, sys
d = json.load(open(sys.argv[1]))
assert d["schema"] == 1 and d["kernel"] == "6.1" and d["license"] == "GPL" and d["init"] == 0
assert [c["call"] for c in d["calls"]] == ["kmalloc", "kfree"]
assert d["calls"][0]["cache"] == "kmalloc-128" and d["calls"][0]["gfp"] == "GFP_KERNEL"
assert int(d["calls"][0]["result"], 16) - 0xffff888000000000 == int(d["calls"][0]["physical"][0].split("+")[0], 16)
assert [f["rule"] for f in d["findings"]] == ["double_free"]
PY
	ok $? 'JSON is complete' || sed 's/^/# /' "$work/err"
fi

# Kernels differ where the family does.
cat >"$work/version.c" <<'C'
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/version.h>
static int __init start(void)
{
	void *p = kmalloc(96, GFP_KERNEL);
	pr_info("%d aligned %d old %d\n", LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0),
		IS_ALIGNED(virt_to_phys(p), 32), LINUX_VERSION_CODE < KERNEL_VERSION(5, 16, 0));
	kfree(p);
	return 0;
}
static void __exit stop(void) {}
module_init(start);
module_exit(stop);
MODULE_LICENSE("GPL");
C
for kernel in 5.15 6.1 6.6 6.12 6.18 7.2; do
	module "$work/version.c" --kernel $kernel
	exits 0 "runs on $kernel"
done
like "$work/out" '1 aligned 1 old 0' 'LINUX_VERSION_CODE is of the kernel that was chosen'

# Parameters.
cat >"$work/param.c" <<'C'
#include <linux/module.h>
static int number = 1, list[4], count;
static char *word = "none";
static bool flag;
module_param(number, int, 0644);
module_param(word, charp, 0);
module_param(flag, bool, 0);
module_param_array(list, int, &count, 0);
int init_module(void)
{
	pr_info("%d %s %d %d:%d,%d\n", number, word, flag, count, list[0], list[1]);
	return 0;
}
void cleanup_module(void) {}
MODULE_LICENSE("GPL");
C
module "$work/param.c" number=-5 word=some flag=y list=7,8
exits 0 'parameters'
like "$work/out" '\] -5 some 1 2:7,8' 'reach the module'
module "$work/param.c" numbr=1
exits 2 'an unknown one'
like "$work/err" 'no parameter "numbr"' 'is named'
module "$work/param.c" number=x
exits 2 'a bad value'

# A parameter with functions of its own; per-CPU copies; a thread that ends itself.
cat >"$work/calls.c" <<'C'
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/percpu_counter.h>
#include <linux/version.h>
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 17, 0)
#define kthread_complete_and_exit complete_and_exit
#endif
static int level;
static int set_level(const char *text, const struct kernel_param *param)
{
	int ret = param_set_int(text, param);

	return ret ? ret : level > 9 ? -ERANGE : 0;
}
static const struct kernel_param_ops level_ops = {.set = set_level, .get = param_get_int};
module_param_cb(level, &level_ops, &level, 0644);
static DEFINE_PER_CPU(int, stationary) = 2;
static struct percpu_counter counter;
static DECLARE_COMPLETION(ended);
static int ends(void *unused)
{
	kthread_complete_and_exit(&ended, 0);
}
static int __init calls_init(void)
{
	int cpu, sum = 0, *dynamic = alloc_percpu(int);

	if (!dynamic || percpu_counter_init(&counter, 1, GFP_KERNEL))
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		*per_cpu_ptr(dynamic, cpu) = cpu;
		per_cpu(stationary, cpu) += 10 * cpu;
	}
	for_each_possible_cpu(cpu)
		sum += *per_cpu_ptr(dynamic, cpu) * 1000 + per_cpu(stationary, cpu);
	percpu_counter_add(&counter, 500);
	pr_info("level %d sum %d counter %lld of %lld\n", level, sum, percpu_counter_read(&counter),
		percpu_counter_sum(&counter));
	percpu_counter_destroy(&counter);
	free_percpu(dynamic);
	kthread_run(ends, NULL, "ends");
	wait_for_completion(&ended);
	return 0;
}
static void __exit calls_exit(void)
{
}
module_init(calls_init);
module_exit(calls_exit);
MODULE_LICENSE("GPL");
C
for kernel in 5.15 6.1 7.2; do
	module "$work/calls.c" --cpus 4 --kernel $kernel level=7
	exits 0 "$kernel: per-CPU memory, a thread that ends itself"
	like "$work/out" '\] level 7 sum 6068 counter 501 of 501$' 'four copies; the batch is over'
done
module "$work/calls.c" level=x
exits 2 'a parameter that its own function refuses'
module "$work/calls.c" level=12
like "$work/err" 'does not take "level=12": its set function gives -34' 'is told so'
sed 's/free_percpu(dynamic);/per_cpu_ptr(dynamic, 1)[1] = 0;/' "$work/calls.c" >"$work/calls_bad.c"
module "$work/calls_bad.c" --cpus 2
like "$work/out" 'out of bounds: wrote byte 4 of 4 bytes of alloc_percpu' 'behind a copy of another CPU'
like "$work/out" 'leak: 1 object, 4 bytes of alloc_percpu' 'and one that is never freed'

# Numbers by the thousand: from full words the search goes on to the next.
cat >"$work/ida.c" <<'C'
#include <linux/idr.h>
#include <linux/module.h>
static DEFINE_IDA(ida);
static int __init ida_start(void)
{
	int wrong = 0;

	for (int i = 0; i < 5000; i++)
		wrong += ida_alloc(&ida, GFP_KERNEL) != i;
	ida_free(&ida, 63);
	ida_free(&ida, 4096);
	wrong += ida_alloc_range(&ida, 60, 70, GFP_KERNEL) != 63;
	wrong += ida_alloc_range(&ida, 64, 4000, GFP_KERNEL) != -ENOSPC;
	wrong += ida_alloc_min(&ida, 64, GFP_KERNEL) != 4096;
	pr_info("wrong %d\n", wrong);
	ida_destroy(&ida);
	return 0;
}
static void __exit ida_end(void)
{
}
module_init(ida_start);
module_exit(ida_end);
MODULE_LICENSE("GPL");
C
module "$work/ida.c"
exits 0 'five thousand numbers'
like "$work/out" '\] wrong 0$' 'each the first that is free'

# By the hundred thousand, and far apart: neither the search for a free number nor that for the
# next entry goes through all that lies between.
cat >"$work/idr.c" <<'C'
#include <linux/idr.h>
#include <linux/module.h>
static DEFINE_IDR(idr);
static DEFINE_XARRAY_ALLOC(array);
static int __init idr_start(void)
{
	unsigned long index, sum = 0;
	int wrong = 0;
	void *entry;
	u32 id;

	for (int i = 0; i < 100000; i++)
		wrong += idr_alloc(&idr, &idr, 0, 0, GFP_KERNEL) != i;
	idr_remove(&idr, 4095);
	idr_remove(&idr, 70000);
	wrong += idr_alloc(&idr, &idr, 4096, 70000, GFP_KERNEL) != -ENOSPC;
	wrong += idr_alloc(&idr, &idr, 0, 0, GFP_KERNEL) != 4095;
	wrong += idr_alloc(&idr, &idr, 0, 0, GFP_KERNEL) != 70000;
	wrong += idr_alloc(&idr, &idr, 0, 0, GFP_KERNEL) != 100000;
	idr_destroy(&idr);
	xa_store(&array, 1UL << 62, xa_mk_value(1), GFP_KERNEL);
	xa_store(&array, ~0UL, xa_mk_value(2), GFP_KERNEL);
	xa_for_each(&array, index, entry) sum += xa_to_value(entry) * 10 + (index == ~0UL);
	wrong += sum != 31;
	wrong += xa_alloc(&array, &id, &idr, XA_LIMIT(5, 5), GFP_KERNEL) || id != 5;
	wrong += xa_alloc(&array, &id, &idr, XA_LIMIT(5, 5), GFP_KERNEL) != -EBUSY;
	pr_info("wrong %d\n", wrong);
	xa_destroy(&array);
	return 0;
}
static void __exit idr_end(void)
{
}
module_init(idr_start);
module_exit(idr_end);
MODULE_LICENSE("GPL");
C
module "$work/idr.c"
exits 0 'a hundred thousand numbers'
like "$work/out" '\] wrong 0$' 'each the first that is free, and what lies far apart is found'

# Red-black trees: the rules hold after each of many insertions and removals.
cat >"$work/tree.c" <<'C'
#include <linux/module.h>
#include <linux/random.h>
#include <linux/rbtree.h>
#define COUNT 300
static struct item {
	struct rb_node node;
	bool in;
} items[COUNT];
static struct rb_root root = RB_ROOT;
static int wrong;
#define red(n) ((n) && !((n)->__rb_parent_color & 1))
static int black_height(struct rb_node *node, struct rb_node *parent)
{
	int left, right;

	if (!node)
		return 0;
	wrong += rb_parent(node) != parent || (red(node) && (!parent || red(parent)));
	left = black_height(node->rb_left, node);
	right = black_height(node->rb_right, node);
	wrong += left != right;
	return left + !red(node);
}
static void check(void)
{
	struct rb_node *node = rb_first(&root), *before = NULL;

	for (int i = 0; i < COUNT; i++) {
		if (!items[i].in)
			continue;
		wrong += node != &items[i].node || rb_prev(node) != before;
		before = node;
		node = node ? rb_next(node) : NULL;
	}
	wrong += node != NULL || rb_last(&root) != before;
	black_height(root.rb_node, NULL);
}
static void insert(struct item *item)
{
	struct rb_node **link = &root.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = &item->node < parent ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&item->node, parent, link);
	rb_insert_color(&item->node, &root);
}
static int __init tree_init(void)
{
	for (int i = 0; i < 4000; i++) {
		struct item *item = &items[get_random_u32() % COUNT];

		if (item->in)
			rb_erase(&item->node, &root);
		else
			insert(item);
		item->in = !item->in;
		if (i % 10 == 0)
			check();
	}
	for (int i = 0; i < COUNT; i++) {
		if (items[i].in)
			rb_erase(&items[i].node, &root);
		items[i].in = false;
		check();
	}
	pr_info("wrong %d, empty %d\n", wrong, RB_EMPTY_ROOT(&root));
	return 0;
}
static void __exit tree_exit(void)
{
}
module_init(tree_init);
module_exit(tree_exit);
MODULE_LICENSE("GPL");
C
for seed in 1 2 3; do
	module "$work/tree.c" --seed $seed
	like "$work/out" '\] wrong 0, empty 1$' "a red-black tree keeps its rules, seed $seed"
done

# Scatterlists: how many entries lie where.
cat >"$work/sg.c" <<'C'
#include <linux/module.h>
#include <linux/scatterlist.h>
static int entries = 1;
module_param(entries, int, 0);
static int __init sg_start(void)
{
	struct sg_table table;
	struct scatterlist *sg;
	int i, seen = 0, ret = sg_alloc_table(&table, entries, GFP_KERNEL);

	if (ret) {
		pr_info("refused %d\n", ret);
		return 0;
	}
	for_each_sgtable_sg(&table, sg, i) {
		sg_set_page(sg, virt_to_page(sg), 1, 0);
		seen++;
	}
	pr_info("seen %d, counted %d, last %d\n", seen, sg_nents(table.sgl),
		sg_last(table.sgl, entries) && sg_is_last(sg_last(table.sgl, entries)) != 0);
	sg_free_table(&table);
	return 0;
}
static void __exit sg_stop(void)
{
}
module_init(sg_start);
module_exit(sg_stop);
MODULE_LICENSE("GPL");
C
for case in '1 32' '127 4064' '128 4096' '129 4096,64' '254 4096,4064' '255 4096,4096' '256 4096,4096,64'; do
	read -r entries arrays <<<"$case"
	module "$work/sg.c" --format tsv "entries=$entries"
	like "$work/err" "seen $entries, counted $entries, last 1\$" "$entries entries"
	is "$(awk -F'\t' '$3 == "sg_alloc_table" {print $4}' "$work/out" | paste -sd,)" "$arrays" "lie in $arrays bytes"
done
module "$work/sg.c" entries=0
like "$work/out" 'refused -22$' 'none is refused'
sed -i 's/sg_set_page(sg, virt_to_page(sg), 1, 0)/sg_set_buf(sg, (void *)VMALLOC_START, 1)/' "$work/sg.c"
module "$work/sg.c"
exits 1 "vmalloc's memory by sg_set_buf()"
like "$work/out" 'which is not in the direct map' 'is told'

# What was written for kernels before 5.6 runs, and is told that it would not build.
cat >"$work/proc.c" <<'C'
#include <linux/module.h>
#include <linux/proc_fs.h>
static ssize_t old_read(struct file *file, char __user *to, size_t n, loff_t *at)
{
	return simple_read_from_buffer(to, n, at, "old", 3);
}
static const struct file_operations fops = {.read = old_read};
int init_module(void)
{
	return proc_create("old", 0, NULL, &fops) ? 0 : -ENOMEM;
}
void cleanup_module(void)
{
	remove_proc_entry("old", NULL);
	remove_proc_entry("old", NULL);
}
MODULE_LICENSE("GPL");
C
module "$work/proc.c" --files
like "$work/out" 'since 5.6 proc_create\(\) takes a struct proc_ops' 'an older interface is named'
like "$work/out" 'opened old, wrote 6 bytes \(gives -22\), read up to 255 \(gives 3\)' 'and works'
like "$work/out" 'remove_proc_entry: there is no "old"' 'an entry is removed once'

# Text into numbers.
cat >"$work/scan.c" <<'C'
#include <linux/module.h>
static int __init scan_init(void)
{
	char word[8], c;
	int a, b, n;
	unsigned char small;
	long long big;
	int set = sscanf(" -12 0x1f,word rest", "%d %i,%4s%n", &a, &b, word, &n);

	pr_info("%d: %d %d %s %d\n", set, a, b, word, n);
	set = sscanf("255:9000000000 x77", "%hhu:%lld %*c%2x", &small, &big, &a);
	pr_info("%d: %u %lld %x\n", set, small, big, a);
	set = sscanf("k=7", "%c=%o%d", &c, &a, &b);
	pr_info("%d: %c %d\n", set, c, a);
	pr_info("%d %d\n", sscanf("x", "%d", &a), sscanf("5%", "%d%%", &a));
	return 0;
}
static void __exit scan_exit(void)
{
}
module_init(scan_init);
module_exit(scan_exit);
MODULE_LICENSE("GPL");
C
module "$work/scan.c"
like "$work/out" '\] 3: -12 31 word 14$' 'sscanf: numbers, a word, a place'
like "$work/out" '\] 3: 255 9000000000 77$' 'sizes, what is passed over, a width'
like "$work/out" '\] 2: k 7$' 'it stops where the text ends'
like "$work/out" '\] 0 1$' 'or where it is no number'

# A file's reader that passes over how much it may write.
cat >"$work/reader.c" <<'C'
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/uaccess.h>
static char text[1024];
static ssize_t reader_read(struct file *file, char __user *to, size_t count, loff_t *at)
{
	return copy_to_user(to, text, sizeof(text)) ? -EFAULT : sizeof(text);
}
static const struct file_operations fops = {.read = reader_read};
static int major;
static int __init reader_init(void)
{
	return (major = register_chrdev(0, "reader", &fops)) < 0 ? major : 0;
}
static void __exit reader_exit(void)
{
	unregister_chrdev(major, "reader");
}
module_init(reader_init);
module_exit(reader_exit);
MODULE_LICENSE("GPL");
C
module "$work/reader.c" --files
exits 1 'a file that writes more than it was asked for'
like "$work/out" 'out of bounds: read of the file reader was asked for 255 bytes and wrote 768 behind' 'is told'

# What cannot be built or run.
module "$work/absent.c"
exits 2 'a source that is not there'
is "$(cat "$work/err")" "kmlab: $work/absent.c cannot be read: No such file or directory" 'is named, in one sentence'
echo 'int x = ' >"$work/broken.c"
module "$work/broken.c"
exits 2 'a source that does not compile'
like "$work/err" 'does not compile as a module' 'is told so'
[ ! -s "$work/out" ]
ok $? 'with nothing on stdout'
printf '#include <linux/module.h>\nint init_module(void) { return no_such_function(1); }\n' >"$work/unknown.c"
module "$work/unknown.c"
exits 2 'a function that is not there'
like "$work/err" 'no_such_function' 'is named by the compiler'
printf '#include <linux/module.h>\nint x;\n' >"$work/noinit.c"
module "$work/noinit.c"
exits 2 'a module without init'
like "$work/err" 'module_init' 'is told what to do'
module "$work/none.c"
exits 2 'a missing file'
module
exits 2 'no file'
module --kernel nonsense "$work/param.c"
exits 2 'a kernel that is none'
CC=no-such-compiler module "$work/param.c"
exits 2 'no compiler'

# Crashes of all kinds are reports.
crash() { # BODY PATTERN
	printf '#include <linux/module.h>\n#include <linux/slab.h>\n#include <linux/vmalloc.h>\n#include <linux/list.h>\n#include <linux/spinlock.h>\nstatic volatile int zero;\nstatic DEFINE_SPINLOCK(lock);\nint init_module(void)\n{\n\t%s\n\treturn 0;\n}\nvoid cleanup_module(void) {}\n' "$1" >"$work/crash.c"
	module --timeout 1 "$work/crash.c"
	exits 1 "exit 1: $1"
	like "$work/out" "$2" "$2"
}
crash '*(volatile int *)0xdead000000000100ul = 1;' 'crash.c:10 init_module\(\): oops: a pointer that is no address'
crash 'return 100 / zero;' 'oops: division by zero; check the divisor'
crash 'for (;;) zero++;' 'soft lockup: .*; end the loop, or sleep in it'
crash 'char *v = vmalloc(4096); v[4096] = 1; vfree(v);' 'oops: page fault.*before it lie 4096 bytes of vmalloc'
crash 'BUG_ON(zero == 0);' 'kernel BUG: BUG_ON\(zero == 0\); find what made it fail'
crash 'spin_lock(&lock); spin_lock(&lock);' 'deadlock: spin_lock takes a lock'
crash 'spin_lock(&lock);' 'init returned without undoing spin_lock'
crash 'struct list_head *e = kmalloc(64, GFP_KERNEL), *n; kfree(e); n = e->next; n->prev = n;' 'use after free: read byte 0 of 64 bytes of kmalloc'
crash 'kfree((void *)&zero);' 'kfree of a pointer that no allocation returned.*outside of the kernel'

misuse() { # HEADER BODY PATTERN
	printf '#include <linux/device.h>\n#include <linux/module.h>\n#include <linux/%s>\nstatic struct device device;\nint init_module(void)\n{\n\t%s\n\treturn device.id;\n}\nvoid cleanup_module(void) {}\n' "$1" "$2" >"$work/misuse.c"
	module "$work/misuse.c"
	exits 1 "exit 1: $2"
	like "$work/out" "$3" "$3"
}
misuse dmapool.h 'dma_pool_create("p", &device, 100, 24, 0);' 'misuse.c:7 init_module\(\): dma_pool_create of 100 bytes, aligned to 24'
misuse dmapool.h 'struct dma_pool *p = dma_pool_create("p", &device, 64, 0, 0); dma_addr_t h; void *d = dma_pool_alloc(p, GFP_KERNEL, &h); dma_pool_free(p, d, h); dma_pool_free(p, d, h); dma_pool_destroy(p);' 'dma_pool_free: the pool "p" has not given out .*, or has it back'
misuse percpu.h '__alloc_percpu(40000, 8);' '__alloc_percpu of 40000 bytes.*it gives 1 to 32768 bytes'
misuse kobject.h 'static struct kobject k; kobject_put(&k);' 'kobject_put of the kobject "", which was never initialised'
misuse kobject.h 'static const struct kobj_type t; static struct kobject k; if (kobject_init_and_add(&k, &t, NULL, "k")) return 1; kobject_put(&k);' 'the kobject "k" has no release\(\)'
misuse kobject.h 'DEFINE_SPINLOCK(lock); spin_lock(&lock); kobject_put(kobject_create_and_add("k", kernel_kobj)); spin_unlock(&lock);' 'sleeping flag in atomic context: kobject_create_and_add may sleep with these flags, and a spinlock is held'
misuse kref.h 'struct kref *r = kmalloc(sizeof(*r), GFP_KERNEL); kref_init(r); kref_put(r, (void (*)(struct kref *))(kfree)); kref_put(r, (void (*)(struct kref *))(kfree));' 'kref_put of a kref that is gone: it lay in 4 bytes of kmalloc'
misuse skbuff.h 'struct sk_buff *s = alloc_skb(100, GFP_KERNEL); skb_put(s, 500);' 'skb_over_panic'
misuse debugfs.h 'debugfs_create_dir("left", NULL);' 'debugfs entry "left" is still registered'
misuse rhashtable.h 'static struct rhashtable t; static const struct rhashtable_params p; return !rhashtable_init(&t, &p);' 'rhashtable_init needs key_len'

module --no-checks "$examples/bad_out_of_bounds.c"
exits 1 'without instrumentation'
like "$work/out" 'the red zone behind 100 bytes of kmalloc.* was overwritten at byte 100' 'red zones still tell'
done_testing
