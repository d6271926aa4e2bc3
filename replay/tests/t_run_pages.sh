#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every page call in `kmlab run`: results, formats, rules broken (the machine stays as it was), flags
# of all times, and lines that cannot be read.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

run() { # PROGRAM OPTIONS…
	printf '%s\n' 'machine kernel=6.1 memory=256M' "$1" >"$work/p.kms"
	shift
	"$KMLAB" run --format tsv "$@" "$work/p.kms" >"$work/out" 2>"$work/err"
	status=$?
}
cell() { # LINE COLUMN
	awk -F'\t' -v line="$1" -v column="$2" '$1 == line {print $column}' "$work/out"
}
end_state() {
	run "$1" --state
	sed -n '/^expect begin/,$p' "$work/out"
}

run 'p = alloc_pages(GFP_KERNEL, 2)
q = alloc_page(GFP_HIGHUSER_MOVABLE)
a = __get_free_pages(GFP_ATOMIC, 1)
b = __get_free_page(GFP_NOWAIT)
c = get_zeroed_page(GFP_DMA)
e = alloc_pages_exact(20000, GFP_KERNEL)
n = alloc_pages_bulk_array(GFP_KERNEL, 3, array)
m = alloc_pages_bulk(GFP_KERNEL | __GFP_RECLAIMABLE, 2)
__free_pages(p, 2)
__free_page(q)
free_pages(a, 1)
free_page(b)
free_page(c)
free_pages_exact(e, 20000)
__free_page(array[1])
__free_page(m[0])
big = alloc_pages_exact(5M, GFP_KERNEL)'
is $status 0 'every page call is executed'
is "$(cell 2 5) $(cell 3 5) $(cell 4 5) $(cell 6 5) $(cell 7 5) $(cell 8 5)" '16384 4096 8192 4096 20480 12288' 'bytes'
for line in 2 3; do
	[[ $(cell $line 4) =~ ^'pfn 0x'[0-9a-f]+$ ]]
	ok $? "line $line gives a page"
done
for line in 4 5 6 7; do
	[[ $(cell $line 4) =~ ^0xffff8880[0-9a-f]+$ ]]
	ok $? "line $line gives an address"
done
[[ $(($(cell 6 4) - 0xffff888000000000)) -lt $((16 << 20)) ]]
ok $? 'GFP_DMA lies below 16 MiB'
is "$(cell 8 4 | wc -w)" 4 'a bulk call tells its pages'
is "$(awk -F'\t' 'NR > 1 && NR < 17 && $7 != ""' "$work/out")" '' 'no rule is broken'
like "$work/out" 'bytes are outside 1' 'more than the largest block'

# A bulk call in JSON, and compared: by its pages, or by how many there are.
run 'n = alloc_pages_bulk(GFP_KERNEL, 4)' --format json
like "$work/out" '"result": *"pfn 0x[0-9a-f]* 0x[0-9a-f]* 0x[0-9a-f]* 0x[0-9a-f]*"' 'pages in bulk as JSON'
run 'n = alloc_pages_bulk(GFP_KERNEL, 4)'
pages=$(cell 2 4)
run "n = alloc_pages_bulk(GFP_KERNEL, 4) -> $pages
m = alloc_pages_bulk(GFP_KERNEL, 4) -> 4" --check
is $status 0 'pages in bulk as Linux'
run "n = alloc_pages_bulk(GFP_KERNEL, 4) -> $pages 0x1" --check
is $status 2 'more pages than asked for cannot be an answer'
run "n = alloc_pages_bulk(GFP_KERNEL, 4) -> ${pages% *}" --check
is $status 1 'a page too few is seen'
run "n = alloc_pages_bulk(GFP_KERNEL, 4) -> 3" --check
is $status 1 'a count that differs is seen'

# Parts of a block; frees of parts merge to the block again.
whole=$(end_state 'p = alloc_pages(GFP_KERNEL, 5)
__free_pages(p, 5)' | grep '^free')
parts=$(end_state 'p = alloc_pages(GFP_KERNEL, 5)
split_page(p, 5)
__free_pages(p + 16, 4)
__free_pages(p, 4)' | grep '^free')
is "$parts" "$whole" 'a block freed in two halves is one again'
run 'a = __get_free_pages(GFP_KERNEL, 1)
split_page(a, 1)
free_page(a + PAGE_SIZE)
free_page(a + 4096)'
is "$(cell 5 7)" 'double free: line 4 freed a' 'addresses count in bytes, pages in pages'

# Rules broken: named, not executed.
before=$(end_state 'p = alloc_pages(GFP_KERNEL, 3)
c = alloc_pages(GFP_KERNEL | __GFP_COMP, 3)')
program='p = alloc_pages(GFP_KERNEL, 3)
c = alloc_pages(GFP_KERNEL | __GFP_COMP, 3)
__free_page(p + 1)
__free_pages(p, 2)
split_page(c, 3)
free_pages_exact(p, 4096)
x = alloc_pages(GFP_DMA | __GFP_HIGHMEM, 0)
y = alloc_pages(GFP_KERNEL | __GFP_MOVABLE | __GFP_RECLAIMABLE, 0)
z = alloc_pages(GFP_KERNEL, 11)
__free_page(0xffff888000100000)
e = alloc_pages_exact(0, GFP_KERNEL)'
run "$program"
for rule in '4:4096 bytes into what line 2 allocated' '5:wrong order 2' '6:compound page' '7:not held as a single' \
	'8:contradicting zones' '9:contradicting mobility' '10:order 11 is above' '11:not allocated here' \
	'12:outside 1'; do
	[[ $(cell "${rule%%:*}" 7) == *"${rule#*:}"* ]]
	ok $? "line ${rule%%:*}: ${rule#*:}"
done
is "$(end_state "$program")" "$before" 'and the machine is as it was'

# Flags by every name they had, and as expressions.
same() { # KERNEL FLAGS FLAGS
	local first second
	for flags in "$2" "$3"; do
		printf 'machine kernel=%s memory=256M\np = alloc_pages(%s, 0)\nq = kmalloc(100, %s)\n' "$1" "$flags" "$flags" >"$work/f.kms"
		second=${first:-}
		first=$("$KMLAB" run --format tsv --state "$work/f.kms" 2>&1)
	done
	is "$first" "$second" "$1: $2 is $3"
}
same 6.12 '__GFP_WAIT | __GFP_IO | __GFP_FS | __GFP_COLD' GFP_KERNEL
same 6.12 GFP_TEMPORARY 'GFP_KERNEL | __GFP_RECLAIMABLE'
same 6.12 __GFP_ATOMIC __GFP_HIGH
same 6.1 'GFP_NOWAIT | __GFP_HIGH | __GFP_ATOMIC' GFP_ATOMIC
same 6.1 'GFP_KERNEL | __GFP_REPEAT | __GFP_NOTRACK | __GFP_OTHER_NODE' 'GFP_KERNEL | __GFP_RETRY_MAYFAIL'
same 6.1 'GFP_KERNEL | __GFP_NO_KSWAPD' '(GFP_KERNEL | __GFP_NOWARN) & ~(__GFP_KSWAPD_RECLAIM | __GFP_NOWARN)'
same 6.1 0xcc0 GFP_KERNEL
same 7.2 ___GFP_DMA GFP_DMA

# What a request finds that may wait: 8 pages of a zone are free, all else is in use.
wait_for_memory() { # POLICY: how many of 4 requests get a page
	cat >"$work/w.kms" <<-KMS
		machine kernel=6.1 thp=0 reclaim=$1
		state begin
		zone DMA32 start 1000 spanned 1000 present 1000 managed 1000 wm 16 20 24 boost 0 highatomic 0 reserve 0 0 0 0
		zx nrfree 8 diff 0 thr 2 flags 0 drift 0
		lru 1000:100
		free 3 1 1e00
		pcp 0 count 0 high 64 batch 1 free_factor 0
		blocks 1000:1
		state end
		a = alloc_page(GFP_HIGHUSER_MOVABLE)
		b = alloc_page(GFP_HIGHUSER_MOVABLE)
		c = alloc_page(GFP_HIGHUSER_MOVABLE)
		d = alloc_page(GFP_NOWAIT | __GFP_MOVABLE)
	KMS
	"$KMLAB" run --format tsv "$work/w.kms" | grep -c 'pfn'
}
is "$(wait_for_memory none) $(wait_for_memory oom) $(wait_for_memory 100%)" '0 0 4' 'reclaim none, oom and 100%'
printf 'machine reclaim=some\n' >"$work/w.kms"
"$KMLAB" run "$work/w.kms" 2>"$work/err"
is $? 2 'another word is no policy'
like "$work/err" 'takes none, oom or N%' 'which ones there are is said'

# Lines that cannot be read: a sentence with the line, nothing else.
bad() { # LINE PATTERN
	run "$1"
	is $status 2 "exit 2: $1"
	like "$work/err" "p.kms:2: $2" "$2"
	[ ! -s "$work/out" ]
	ok $? 'nothing on stdout'
}
bad 'p = alloc_page(GFP_KERNAL)' 'unknown gfp flag GFP_KERNAL; did you mean GFP_KERNEL?'
bad 'p = alloc_pagse(GFP_KERNEL)' 'unknown call alloc_pagse; did you mean alloc_pages?'
bad 'p = alloc_pages((GFP_KERNEL, 0)' 'expected ")" in flags near'
bad 'p = alloc_pages(GFP_KERNEL)' 'alloc_pages wants more arguments'
bad '__free_page(p)' 'variable p is used before any line sets it'
bad 'n = alloc_pages_bulk(GFP_KERNEL, 0)' '0 pointers; 1 to'
bad 'alloc_pages_bulk(GFP_KERNEL, 4)' 'the pages have no name'
bad 'p = alloc_pages(0x100000000, 0)' 'gfp flags have 32 bits'
done_testing
