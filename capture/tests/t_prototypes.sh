#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Kernels whose tracepoints differ: BTF made from a few typedefs stands for a kernel. Known
# prototypes are taken, unknown ones refused by name, never guessed.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
build=${KMLAB_BUILD:?}
capture=$build/kmlab-capture
clang=${CLANG:-clang}

[ -x "$capture" ] || skip_all "kmlab-capture is not built (libbpf-dev, clang, bpftool)"
command -v "$clang" >/dev/null || skip_all "clang is needed to make BTF"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

# kernel NAME DECLARATION…: BTF with the typedefs (the last of each name counts).
kernel() {
	local out=$dir/$1.o
	shift
	{
		echo 'typedef unsigned long ulong; typedef unsigned long size_t; typedef unsigned int gfp_t;'
		echo 'struct kmem_cache { int x; }; struct page { int x; }; int some_variable;'
		for each in "$@"; do
			name=${each%% *}
			echo "typedef void (*btf_trace_$name)(void *${each#"$name"});"
			echo "btf_trace_$name use_$name;"
		done
	} >"$dir/kernel.c"
	"$clang" -g -O2 -target bpf -c "$dir/kernel.c" -o "$out" || exit 1
}
judge() { # NAME [groups]
	"$capture" --btf "$dir/$1.o" ${2:+-e "$2"} 2>&1
}

slab=("kmalloc , ulong, const void *, size_t, size_t, gfp_t, int"
	"kfree , ulong, const void *"
	"kmem_cache_alloc , ulong, const void *, struct kmem_cache *, gfp_t, int"
	"kmem_cache_free , ulong, const void *, const struct kmem_cache *")
page=("mm_page_alloc , struct page *, unsigned int, gfp_t, int" "mm_page_free , struct page *, unsigned int")
vmap=("alloc_vmap_area , ulong, ulong, ulong, ulong, ulong, int"
	"free_vmap_area_noflush , ulong, ulong, ulong" "purge_vmap_area_lazy , ulong, ulong, unsigned int")

kernel v6.18 "${slab[@]}" "${page[@]}" "${vmap[@]}"
is "$(judge v6.18)" $'slab yes\npage yes\nvmap yes\npercpu no\nrcu no' "6.18: all groups"
kernel v6.1 "${slab[@]}" "${page[@]}"
is "$(judge v6.1)" $'slab yes\npage yes\nvmap no\npercpu no\nrcu no' "6.1 has no vmalloc tracepoints: the rest is recorded"
judge v6.1 vmap | grep -q 'it has no such tracepoints'
is $? 0 "asking for them alone says so"
is "$(judge v6.1 vmap >/dev/null; echo $?)" 2 "and exits 2"

# 5.15: kmalloc has no node, the cache tracepoints pass sizes and a name.
kernel v5.15 "kmalloc , ulong, const void *, size_t, size_t, gfp_t" "${slab[1]}" \
	"kmem_cache_alloc , ulong, const void *, size_t, size_t, gfp_t" \
	"kmem_cache_free , ulong, const void *, const char *" "${page[@]}"
judge v5.15 | grep -q 'kmalloc of this kernel passes (u64 \*void u64 u64 u32)'
is $? 0 "5.15: kmalloc is refused, and its arguments are shown"
is "$(judge v5.15 page)" $'slab no\npage yes\nvmap no\npercpu no\nrcu no' "5.15: its page tracepoints are known"

kernel swapped "kmalloc , const void *, ulong, size_t, size_t, gfp_t, int" "${slab[@]:1}" "${page[@]}"
is "$(judge swapped >/dev/null; echo $?)" 2 "swapped arguments are refused"
kernel renamed "${slab[@]}" "mm_page_alloc , struct kmem_cache *, unsigned int, gfp_t, int" "${page[1]}"
is "$(judge renamed >/dev/null; echo $?)" 2 "a pointer to another structure is refused"
kernel longer "${slab[@]}" "${page[0]}, int" "${page[1]}"
is "$(judge longer >/dev/null; echo $?)" 2 "an argument more is refused"
kernel none
judge none | grep -q 'no typed tracepoint kmalloc'
is $? 0 "a kernel without them is refused by name"
# Saved from kernels that this machine does not run.
for saved in "$(dirname "$0")"/btf/*.btf; do
	judge_saved=$("$capture" --btf "$saved" 2>&1)
	is $? 0 "$(basename "$saved"): can be recorded"
	is "$judge_saved" $'slab yes\npage yes\nvmap yes\npercpu yes\nrcu yes' "all groups"
	"$capture" --btf "$saved" --save-btf "$dir/again.btf"
	is "$("$capture" --btf "$dir/again.btf" 2>&1)" "$judge_saved" "a cut of it says the same"
done
"$capture" --btf "$dir/v6.1.o" --save-btf /no/such/directory/x.btf 2>"$dir/save.err"
is $? 2 "BTF that cannot be saved: exit 2"
like "$dir/save.err" 'cannot write /no/such/directory/x.btf: No such file' "one sentence says so"
echo "no BTF" >"$dir/text.o"
is "$(judge text >/dev/null; echo $?)" 2 "a file that is no BTF: exit 2"

done_testing
