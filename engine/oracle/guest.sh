#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# In the guest: execute each NAME.kms here with kmlab_oracle.ko; out/NAME.kms is it with the kernel's
# answers. Several follow one another in programs of pages, areas or caches, which leave nothing behind.
address() { # NAME…: 0x… of what is not exported, by the first name there is; or 0
	for name in "$@"; do
		awk -v name="$name" '$3 == name && !found {print "0x" $1; found = 1} END {exit !found}' \
			/proc/kallsyms && return
	done
	echo 0
}

caches() {
	for cache in /sys/kernel/slab/kmlab-*; do
		[ -d "$cache" ] || continue
		printf 'cache %s' "${cache##*/kmlab-}"
		for fact in object_size slab_size align order objs_per_slab min_partial cpu_partial \
			slabs partial cpu_slabs sheaf_capacity; do
			# Starting a program for each would take longer here than everything else.
			[ -e "$cache/$fact" ] || continue
			read -r value _ <"$cache/$fact" && printf ' %s=%s' "$fact" "$value"
		done
		echo
	done
}

# The first program's word is the boot's: memory cgroups cannot be undone.
memcg=$(sed -n '/^machine /{s/.* memcg=\([0-9]\).*/\1/p;q}' ./*.kms | head -n 1)
if [ "${memcg:-0}" != 0 ]; then
	mkdir -p /sys/fs/cgroup
	mount -t cgroup2 cgroup /sys/fs/cgroup
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	mkdir /sys/fs/cgroup/kmlab
	[ "$memcg" = 1 ] || echo $$ >/sys/fs/cgroup/kmlab/cgroup.procs
fi
mount -t debugfs debug /sys/kernel/debug
addresses="pageblock_flags=$(address get_pfnblock_flags_mask)
	pageblock_type=$(address get_pfnblock_migratetype)
	vmap_free=$(address free_vmap_area_list) vmap_lazy=$(address vmap_lazy_nr)
	vmap_nodes_at=$(address vmap_nodes) vmap_nr_nodes=$(address nr_vmap_nodes)
	vmap_drain=$(address drain_vmap_work)
	get_area=$(address get_vm_area) vmalloc_align=$(address __vmalloc_node_noprof __vmalloc_node)
	vmalloc_huge_at=$(address vmalloc_huge_node_noprof vmalloc_huge_noprof vmalloc_huge)
	vrealloc_at=$(address vrealloc_node_align_noprof vrealloc_noprof)"
for program in *.kms; do
	# Idle priority: the worker that purges vmalloc's space takes the CPU as soon as it wakes.
	# shellcheck disable=SC2086
	if ! ./chrt -i 0 insmod kmlab_oracle.ko program="/lab/$program" $addresses; then
		dmesg | grep kmlab_oracle: >&2
		exit 1
	fi
	{
		cat /sys/kernel/debug/kmlab_oracle/answer
		caches
		echo 'expect end'
	} >"out/$program"
	rmmod kmlab_oracle
done
