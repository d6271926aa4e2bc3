#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Recording kernels this machine does not run: each boots under emulation, a known number of timers
# is made there, and the trace that comes back must hold exactly these and replay here.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
build=${KMLAB_BUILD:?}
kmlab=${KMLAB:?}
vm=$(dirname "$0")/../../.ci/vm/vm
timers=1009

[ -x "$build/kmlab-capture" ] || skip_all "kmlab-capture is not built (libbpf-dev, clang, bpftool)"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

sql() { # TRACE QUERY: the rows without the header
	"$kmlab" sql "$1" "$2" --format tsv | tail -n +2
}

judge() { # KERNEL TRACE
	local seen lost
	seen=$(sql "$2" "select count(*) from event where kind = 'kmalloc' and comm = 'kmlab-workload' and site like '__do_sys_timerfd_create%'")
	lost=$(sql "$2" "select coalesce(sum(count), 0) from lost")
	# A program that is preempted misses what the others do meanwhile: since 7.0, and it is counted.
	if [ "$1" = newest ] && [ "$lost" -gt 0 ]; then
		[ "$seen" -le $timers ] && [ $((seen + lost)) -ge $timers ]
		ok $? "$1: $timers timers are $seen kmallocs at their call site, $lost events lost"
	else
		is "$seen" $timers "$1: $timers timers are exactly $timers kmallocs at their call site"
		is "$lost" 0 "$1: nothing was lost"
	fi
	is "$(sql "$2" "select (select sum(fired) from counts) - (select sum(recorded) from counts) - (select sum(count) from lost) - (select sum(count) from filtered)")" \
		0 "$1: fired = recorded + lost + filtered"
	is "$(sql "$2" "select count(*) from counts c where recorded <> (select count(*) from event e where e.kind = c.kind)")" \
		0 "$1: every kind has as many events as the ledger says"
	is "$(sql "$2" "select min(fired) > 0 from counts where kind in ('kmalloc','kfree','cache_alloc','cache_free','page_alloc','page_free')")" \
		1 "$1: slab and page kinds all occur"
	is "$(sql "$2" "select count(*) from event where kind like 'page_%' and ptr * 4096 > 64 * (select value from meta where key = 'memory_bytes')")" \
		0 "$1: page frame numbers lie in its memory"
	"$kmlab" replay "$2" --allow-loss --model slub,kernel -o "$dir/$1.kmr" >"$dir/$1.replay" 2>&1
	is $? 0 "$1: the trace replays with slub and kernel" || sed 's/^/# /' "$dir/$1.replay"
	like "$dir/$1.replay" "fidelity of slub@${1/newest/[0-9.]+} .*bytes_alloc 100 %" \
		"$1: its profile is chosen, and every kmalloc gets the bytes it got there"
}

# Pointers chased through the kernel's memory: there since 6.2, refused with that sentence before.
judge_chase() { # KERNEL DIRECTORY
	if [ "$1" = 6.1 ]; then
		is "$(cat "$2/chase.status") $(wc -c <"$2/chase") $(wc -l <"$2/chase.err")" "2 0 1" "$1: --chase is refused in one sentence"
		like "$2/chase.err" 'need Linux 6\.2 or newer, and this is 6\.1' "$1: which names both kernels"
		return
	fi
	is "$(cat "$2/chase.status")" 0 "$1: --chase measures" || sed 's/^/# /' "$2/chase.err"
	is "$(awk '$1 != "page" && $3 > 0 {n[$1 " " $2]++} END {for (k in n) print k, n[k]}' "$2/chase" | sort | paste -sd,)" \
		"dense 256 2,dense 64 2,direct 256 2,direct 64 2,vmalloc 256 2,vmalloc 64 2" "$1: in direct map and vmalloc memory, as often as asked"
	is "$(grep -c '^page' "$2/chase")" 256 "$1: each object's page is told"
}

for kernel in 6.1 6.12 newest; do
	if ! "$vm" fetch $kernel >"$dir/release" 2>"$dir/why"; then
		skip "$kernel is recorded" "$(cat "$dir/why")"
		continue
	fi
	"$vm" run --kernel $kernel --cpus 2 --get "$dir/$kernel" --put "$build/kmlab-capture" \
		--put "$build/kmlab-workload" --timeout 300 -- \
		sh -c "./kmlab-capture --chase --rounds=2 64,256 >out/chase 2>out/chase.err; echo \$? >out/chase.status
			exec ./kmlab-capture -v --ring-size 16M -o out/t.kmt -- ./kmlab-workload --timers $timers" \
		>"$dir/console" 2>&1
	status=$?
	# The newest may be newer than this test.
	if [ $kernel = newest ] && grep -q 'kmlab knows only' "$dir/console"; then
		skip "$(cat "$dir/release") is recorded" "$(grep 'kmlab knows only' "$dir/console")"
		continue
	fi
	is $status 0 "$kernel: a capture of a command exits 0" || sed 's/^/# /' "$dir/console"
	[ ! -f "$dir/$kernel/t.kmt" ] || judge $kernel "$dir/$kernel/t.kmt"
	[ ! -f "$dir/$kernel/chase.status" ] || judge_chase $kernel "$dir/$kernel"
done
done_testing
