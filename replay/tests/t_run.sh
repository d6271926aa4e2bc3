#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kmlab run from the outside: formats, comparison, exit codes, errors, recorded programs.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

run() { # run ARGS…: output in $work/out, $work/err, exit code in $status
	"$KMLAB" run "$@" >"$work/out" 2>"$work/err"
	status=$?
}
exits() { # CODE DESC
	is "$status" "$1" "$2" || sed 's/^/# /' "$work/err" "$work/out" | head -20
}

cat >"$work/a.kms" <<'KMS'
machine kernel=6.1 cpus=2 memory=256M
c = kmem_cache_create(616, 0)
s = kmem_cache_alloc(c, GFP_KERNEL) @1
kmem_cache_free(c, s) @1
p = kmalloc(100, GFP_KERNEL)
kfree(p)
kfree(p)
g = alloc_pages(GFP_KERNEL, 2)
v = vmalloc(20000) -> 0xffffc90000000000
w = vmalloc(1)     -> 0xffffc90000006000
KMS

run "$work/a.kms" --format tsv
exits 0 'a scenario runs'
is "$(head -1 "$work/out")" "$(printf 'line\tcpu\tcall\tresult\tbytes_alloc\tcache\tnote')" 'tsv header'
is "$(wc -l <"$work/out")" 10 'a row per executed line'
is "$(awk -F'\t' '$1 == 3 {print $2, $3, $5, $6}' "$work/out")" '1 kmem_cache_alloc 616 c' 'line, cpu, call, bytes_alloc, cache'
is "$(awk -F'\t' '$1 == 5 {print $5, $6}' "$work/out")" '128 kmalloc-128' 'kmalloc class'
awk -F'\t' '$1 == 7 {print $7}' "$work/out" | grep -q '^double free'
ok $? 'the rule broken is named'
awk -F'\t' '$1 == 8 {print $4}' "$work/out" | grep -q '^pfn 0x[0-9a-f]*$'
ok $? 'pages as pfn'
cp "$work/out" "$work/first"
run "$work/a.kms" --format tsv
cmp -s "$work/out" "$work/first"
ok $? 'the same twice'
"$KMLAB" run - --format tsv <"$work/a.kms" >"$work/out" 2>"$work/err"
cmp -s "$work/out" "$work/first"
ok $? 'standard input'

run "$work/a.kms" --format json --state --check
exits 1 'a broken rule fails --check'
if ! command -v python3 >/dev/null; then
	skip 'json is well-formed and complete' 'python3 is not installed'
else
	python3 - "$work/out" 2>"$work/err" <<'PY'
import json, sys
d = json.load(open(sys.argv[1]))
assert d["schema"] == 1 and len(d["rows"]) == 9
assert d["check"]["vmalloc"] == {"checked": 2, "matched": 2}
assert any(line.startswith("cache c object_size=616") for line in d["state"])
PY
	ok $? 'json is well-formed and complete'
fi
run "$work/a.kms" --state
like "$work/out" '^expect begin' '--state prints an expect block'
like "$work/out" '^vlazy 0' 'with its lines'

sed '/^kfree/d' "$work/a.kms" >"$work/good.kms"
run --check "$work/good.kms"
exits 0 'answers that agree'
like "$work/out" '^vmalloc *2 of 2 as Linux' 'are counted'
sed 's/6000$/7000/' "$work/good.kms" >"$work/bad.kms"
run --check "$work/bad.kms"
exits 1 'an answer that differs'
like "$work/out" 'gave 0xffffc90000006000, Linux 0xffffc90000007000' 'is shown'

echo 'p = kmaloc(8, GFP_KERNEL)' >"$work/e.kms"
run "$work/e.kms"
exits 2 'a bad scenario'
like "$work/err" 'e.kms:1: unknown call kmaloc' 'is named with its line'
[ ! -s "$work/out" ]
ok $? 'and prints nothing on stdout'
run "$work/none.kms"
exits 2 'a missing file'
run
exits 2 'no file'
run --format xml "$work/a.kms"
exits 2 'an unknown format'
like "$work/err" 'table, json, csv or tsv' 'is told the four'
run --seed -1 "$work/a.kms"
exits 2 'a negative seed'
echo 'machine kernel=6.1 merge=2' >"$work/s.kms"
run "$work/s.kms"
exits 2 'a machine switch out of its range'
like "$work/err" 's.kms:1: machine switch merge takes 0 to 1, not 2' 'is told its range'
printf 'p = \0' >"$work/z.kms"
run "$work/z.kms"
exits 2 'binary data'

cat >"$work/m.kms" <<'KMS'
machine kernel=6.12 cpus=1 memory=256M
p = kmalloc(100, GFP_KERNEL)
q = krealloc(p, 128, GFP_KERNEL)
n = ksize(q)
r = krealloc_array(q, 100, 3, GFP_KERNEL)
kfree(q)
kfree_sensitive(r)
o = kcalloc(SIZE_MAX, 2, GFP_KERNEL)
z = kmalloc(0, GFP_KERNEL)
c = kmem_cache_create_usercopy("mine", 200, 0, SLAB_HWCACHE_ALIGN, 0, 100, NULL)
b = kmem_cache_alloc_bulk(c, GFP_KERNEL, 3, a)
kmem_cache_destroy(c)
kmem_cache_free(c, a[1])
kmem_cache_free_bulk(c, 3, a)
v = kvmalloc(8M, GFP_KERNEL)
w = kvrealloc(v, 7M, GFP_KERNEL)
kfree(w)
context interrupt
x = kmalloc(8, GFP_KERNEL)
h = kmalloc(8, GFP_ATOMIC | __GFP_HIGHMEM)
KMS
cell() { awk -F'\t' -v line="$1" -v column="$2" '$1 == line {print $column}' "$work/out"; }
run --debug --format tsv "$work/m.kms"
exits 1 'rules broken and leaks fail --debug'
is "$(cell 3 4)" "$(cell 2 4)" 'krealloc within the class stays'
is "$(cell 4 5)" 128 'ksize is the class'
is "$(cell 5 6)" kmalloc-512 'krealloc_array moves'
is "$(cell 6 7)" 'double free: line 5 freed q; first of its freelist: BUG in set_freepointer' 'what it moved from is free'
is "$(cell 8 4) $(cell 8 7)" 'NULL n * size overflows' 'an overflow is NULL'
is "$(cell 9 4)" 0x10 'ZERO_SIZE_PTR'
is "$(cell 11 5)" 3 'kmem_cache_alloc_bulk says how many'
like "$work/err" 'line 12: kmem_cache_destroy: 3 objects of the cache still in use' 'a busy cache stays'
is "$(cell 14 7)" 'double free: line 13 freed a[1]' 'bulk frees are looked at one by one'
is "$(cell 16 4)" "$(cell 15 4)" 'kvrealloc shrinks an area in place'
like "$work/err" 'line 17: kfree: kfree cannot free a vmalloc area' 'the wrong function is named'
like "$work/err" 'line 19: kmalloc: sleeping flag in atomic context.*an interrupt; ask with GFP_ATOMIC' 'GFP_KERNEL in an interrupt'
like "$work/err" 'line 20: kmalloc: slab memory cannot be high' '__GFP_HIGHMEM'
like "$work/err" 'line 11: leak: kmem_cache_alloc_bulk of line 11 was never freed: 2 objects, 512 bytes' 'leaks by call site'
run --debug --format json "$work/m.kms"
like "$work/out" '"rule": "double_free"' 'findings in JSON'

# An object freed twice: first of its freelist, behind another, and where free pointers are as they are.
cat >"$work/twice.kms" <<'KMS'
machine kernel=6.1 cpus=1 memory=256M
c = kmem_cache_create("mine", 64, 0, 0, NULL)
a = kmem_cache_alloc(c, GFP_KERNEL)
b = kmem_cache_alloc(c, GFP_KERNEL)
kmem_cache_free(c, a)
kmem_cache_free(c, b)
kmem_cache_free(c, b)
kmem_cache_free(c, a)
KMS
run --format tsv "$work/twice.kms"
is "$(cell 7 7)" 'double free: line 6 freed b; first of its freelist: BUG in set_freepointer' 'hardened: the freelist'"'"'s first is not freed again'
like "$work/out" 'double free: line 5 freed a; its free pointer is 0x[0-9a-f]* at 0xffff888' 'hardened: the one behind it would be'
sed -i 's/memory=256M/memory=256M hardened_freelist=0/' "$work/twice.kms"
run --format tsv "$work/twice.kms"
first=$(cell 3 4)
like "$work/out" "double free: line 6 freed b; its free pointer is $first at 0x[0-9a-f]*, to $first" 'not hardened: the next object, as it is'
printf 'p = kmalloc(8, GFP_KERNEL)\nkfree(p)\n' >"$work/clean.kms"
run --debug "$work/clean.kms"
exits 0 'a clean program passes --debug'

# Recorded programs, where the tree has them: every answer and every line of the end state.
for vector in engine/oracle/*.kms.xz; do
	[ -e "$vector" ] || continue
	xz -dc "$vector" >"$work/vector.kms"
	run --check "$work/vector.kms"
	exits 0 "$vector: all as Linux"
	case $vector in *vm_b* | *kmalloc_a*) ;; *) continue ;; esac
	run --direct-map split:50% --check "$work/vector.kms"
	exits 0 "$vector: on real memory"
	like "$work/out" 'touched .* 0 of them changed' 'no object lies in another'
done
printf 'machine kernel=6.12 cpus=2 memory=64M\np = vmalloc(20000)\nvfree(p)\nvm_unmap_aliases()\n' >"$work/v.kms"
run --state --format tsv "$work/v.kms"
like "$work/out" '^# vtlb flushes 1 full 0 on_cpus 2$' 'TLB flushes are in the end state'
like "$work/out" '^# vtables pages 2 leaves_4k 0 leaves_2m 0$' 'and page tables'
{ echo 'state begin'; sed -n '/^expect begin/,/^expect end/{//!p}' "$work/out"; echo 'state end'; echo 'q = vmalloc(1)'; } >"$work/w"
{ head -n 1 "$work/v.kms"; cat "$work/w"; } >"$work/w.kms"
run "$work/w.kms"
exits 0 'an end state is a start state'
run --direct-map 3M "$work/clean.kms"
exits 2 'no page has 3 MiB'
like "$work/err" 'use 1G, 2M, 4K or split' 'the sizes are named'

done_testing
