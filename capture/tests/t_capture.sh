#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A live capture end to end: exact counts, the balance of the ledger, what a person sees when it is
# interrupted, misused, or not permitted. Needs root, BTF and the built kmlab-capture.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
build=${KMLAB_BUILD:?}
kmlab=${KMLAB:?}
capture=$build/kmlab-capture
workload=$build/kmlab-workload

[ "$(id -u)" -eq 0 ] || skip_all "recording the kernel needs root"
[ -r /sys/kernel/btf/vmlinux ] || skip_all "this kernel has no BTF"
[ -x "$capture" ] || skip_all "kmlab-capture is not built (libbpf-dev, clang, bpftool)"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
"$capture" -q -d 0.01 -o "$dir/try.kmt" 2>"$dir/try.err" || skip_all "cannot record here: $(cat "$dir/try.err")"

sql() { # file query: the rows without the header
	"$kmlab" sql "$1" "$2" --format tsv | tail -n +2
}

# ---- a known number of events ----
"$capture" -o "$dir/timers.kmt" -- "$workload" --timers 100003 2>"$dir/timers.err"
is $? 0 "capture of a command exits 0"
is "$(sql "$dir/timers.kmt" "select count(*) from event where kind = 'kmalloc' and comm = 'kmlab-workload' and site like '__do_sys_timerfd_create%'")" \
	100003 "100003 timers are exactly 100003 kmallocs at their call site"
like "$dir/timers.err" 'lost 0,' "the summary says that nothing was lost"

# ---- the ledger, under a mixed load ----
"$capture" -q -o "$dir/mixed.kmt" -- "$workload" --seconds 3 2>/dev/null
is "$(sql "$dir/mixed.kmt" "select (select sum(fired) from counts) - (select sum(recorded) from counts) - (select sum(count) from lost) - (select sum(count) from filtered)")" \
	0 "fired = recorded + lost + filtered"
is "$(sql "$dir/mixed.kmt" "select sum(count) from lost")" 0 "nothing was lost"
is "$(sql "$dir/mixed.kmt" "select count(*) from counts c where recorded <> (select count(*) from event e where e.kind = c.kind)")" \
	0 "every kind has as many events as the ledger says"
is "$(sql "$dir/mixed.kmt" "select min(fired) > 0 from counts where kind in ('kmalloc','kfree','cache_alloc','cache_free','page_alloc','page_free')")" \
	1 "slab and page kinds all occur"
is "$(sql "$dir/mixed.kmt" "select count(*) from event where kind in ('cache_alloc','cache_free') and cache is null or cache = '?'")" \
	0 "every cache has a name"
is "$(sql "$dir/mixed.kmt" "select count(*) from event where comm is null or comm = ''")" \
	0 "every event has a task"
is "$(sql "$dir/mixed.kmt" "select count(*) > 0 from task where comm = 'true'")" 1 \
	"tasks are known by the name they have after exec"
is "$(sql "$dir/mixed.kmt" "select count(*) from site where id > 0 and symbol = ''")" 0 \
	"every call site has a symbol"
is "$(sql "$dir/mixed.kmt" "select count(*) from event where kind like 'page_%' and ptr >= 0 and ptr * 4096 > 64 * (select value from meta where key = 'memory_bytes')")" \
	0 "page frame numbers lie in this machine's memory"
is "$(sql "$dir/mixed.kmt" "select group_concat(phase) from (select distinct phase from snapshot order by 1)")" \
	"end,sample,start" "there are snapshots at the start, in between, and at the end"
is "$(sql "$dir/mixed.kmt" "select value = (select value from meta where key = 'kernel') from meta where key = 'kernel' and value = '$(uname -r)'")" \
	1 "the trace knows its kernel"
is "$(sql "$dir/mixed.kmt" "select count(*) from meta where value like '%$(uname -n).%' or key like '%host%'")" 0 \
	"the host's name is not stored"
is "$(sql "$dir/mixed.kmt" "select count(*) from (select time_ns, lag(time_ns) over (partition by cpu order by seq) as before from event) where before > time_ns + 1000000")" \
	0 "the times of one CPU do not step back by a millisecond"

# ---- groups ----
"$capture" -q -e page -o "$dir/page.kmt" -- "$workload" --seconds 1 2>/dev/null
is "$(sql "$dir/page.kmt" "select group_concat(kind) from (select distinct kind from event order by 1)")" \
	"page_alloc,page_free" "-e page records pages only"

# ---- the command ----
"$capture" -o "$dir/false.kmt" -- sh -c 'exit 7' 2>"$dir/false.err"
is $? 0 "a command that fails does not fail its capture"
like "$dir/false.err" 'status 7' "its status is told"
"$capture" -o "$dir/none.kmt" -- "$dir/no-such-command" 2>"$dir/none.err"
is $? 2 "a command that does not exist: exit 2"
like "$dir/none.err" 'cannot run .*: No such file' "one sentence says so"
[ ! -e "$dir/none.kmt" ]
ok $? "no file is left behind"

# ---- interrupts ----
"$capture" -o "$dir/int.kmt" 2>"$dir/int.err" &
pid=$!
for _ in $(seq 100); do # until it records: it made the file, and time went by
	[ -s "$dir/int.kmt" ] && break
	sleep 0.05
done
sleep 0.5
kill -INT $pid
wait $pid
is $? 130 "Ctrl-C: exit 130"
like "$dir/int.err" 'saving what was recorded' "it says that it saves"
is "$(sql "$dir/int.kmt" "select count(*) > 0 from event")" 1 "what was recorded is there"
is "$(sql "$dir/int.kmt" "select value from meta where key = 'complete'")" 1 "and the trace is complete"

"$capture" -q -o "$dir/kill.kmt" -- "$workload" --seconds 5 --scale 9 2>/dev/null &
pid=$!
for _ in $(seq 100); do
	[ -s "$dir/kill.kmt" ] && break
	sleep 0.05
done
sleep 1.5
kill -KILL $pid
wait $pid 2>/dev/null
"$kmlab" sql "$dir/kill.kmt" "select count(*) from event" >/dev/null 2>"$dir/kill.err"
ok $? "after SIGKILL the file is still a trace"

# ---- misuse ----
for bad in "-e bogus" "-d 0" "-d x" "--ring-size 3" "--ring-size 9G" "--recover some" "--no-such-option"; do
	# shellcheck disable=SC2086
	"$capture" -o "$dir/bad.kmt" $bad 2>"$dir/bad.err"
	is $? 2 "$bad: exit 2"
done
[ ! -e "$dir/bad.kmt" ]
ok $? "bad options leave no file behind"
echo "not a trace" >"$dir/foreign.kmt"
"$capture" -d 1 -o "$dir/foreign.kmt" 2>"$dir/foreign.err"
is $? 2 "a file that is no trace is not overwritten"
is "$(cat "$dir/foreign.kmt")" "not a trace" "it is as it was"

# ---- no permission ----
cp "$capture" "$dir/kmlab-capture" && chmod 755 "$dir" "$dir/kmlab-capture"
setpriv --reuid 65534 --regid 65534 --clear-groups "$dir/kmlab-capture" -d 1 -o /tmp/denied.kmt \
	2>"$dir/denied.err"
is $? 2 "without privilege: exit 2"
like "$dir/denied.err" 'needs root.*sudo' "the sentence names the remedy"
is "$(wc -l <"$dir/denied.err")" 1 "and it is one line"
[ ! -e /tmp/denied.kmt ]
ok $? "no file is left behind"

done_testing
