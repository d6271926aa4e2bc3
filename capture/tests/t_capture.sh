#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A live capture end to end: exact counts, the balance of the ledger, what a person sees when it is
# interrupted, misused, or not permitted. Needs root, BTF and the built kmlab-capture.
set -u
. "$(dirname "$0")/recording.sh"


# ---- a known number of events ----
"$capture" -o "$dir/timers.kmt" -- "$workload" --timers 100003 2>"$dir/timers.err"
is $? 0 "capture of a command exits 0"
is "$(sql "$dir/timers.kmt" "select count(*) from event where kind = 'kmalloc' and comm = 'kmlab-workload' and site like '__do_sys_timerfd_create%'")" \
	100003 "100003 timers are exactly 100003 kmallocs at their call site"
like "$dir/timers.err" 'lost 0,' "the summary says that nothing was lost"

# ---- caches shrunk while recording: their state then is known, and all that follows ----
"$capture" -q --shrink -o "$dir/shrunk.kmt" -- "$workload" --timers 1000 2>"$dir/shrunk.err"
is $? 0 "capture --shrink exits 0"
is "$(sql "$dir/shrunk.kmt" "select (select sum(count) from lost) || ' ' || (select count from filtered where reason = 'self')")" \
	"0 0" "nothing was lost, and none of the recorder's own calls left out"
is "$(sql "$dir/shrunk.kmt" "select count(*) > 0 from event where comm like 'kmlab-capture%' and kind = 'kmalloc'")" \
	1 "they are events as others"
caches=$(find /sys/kernel/slab -mindepth 1 -maxdepth 1 -type d | wc -l)
is "$(sql "$dir/shrunk.kmt" "select count(*) from snapshot where phase = 'end' and source = 'slab shrink' and bytes > 40 * $caches")" \
	1 "what each cache had right after its shrink is in the trace"
if grep -q 'lists of slab caches cannot be read' "$dir/shrunk.err"; then
	skip "which slab lay where is in the trace" "this kernel's structures are not known"
else
	is "$(sql "$dir/shrunk.kmt" "select count(*) from snapshot where phase = 'end' and source in ('slab shrink lists', 'slab lists') and bytes > 100 * $caches")" \
		2 "which slab lay where is in the trace, at the shrink and at the end"
fi
"$capture" -q --shrink -e slab -o "$dir/slabs.kmt" -- true 2>"$dir/slabs.err"
like "$dir/slabs.err" 'record -e slab,page for them' "--shrink without page events says what it lacks"
"$kmlab" fidelity -q "$dir/shrunk.kmt" | grep -q '^slab_choice  .* %'
ok $? "from there slab choices are compared"

# ---- the ledger, under a mixed load ----
"$capture" -q -o "$dir/mixed.kmt" -- "$workload" --seconds 3 2>/dev/null
is "$(sql "$dir/mixed.kmt" "select (select sum(fired) from counts) - (select sum(recorded) from counts) - (select sum(count) from lost) - (select sum(count) from filtered)")" \
	0 "fired = recorded + lost + filtered"
is "$(lost_but_hidden "$dir/mixed.kmt")" 0 "nothing was lost"
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
is "$(sql "$dir/page.kmt" "select group_concat(kind) from (select distinct kind from event where kind not in ('page_zone_locked', 'page_pcpu_drain', 'page_extfrag') order by 1)")" \
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

# ---- a trace that was there ----
cp "$dir/page.kmt" "$dir/keep.kmt"
"$capture" -o "$dir/keep.kmt" -- "$dir/no-such-command" 2>"$dir/keep.err"
is $? 2 "a command that does not exist, over a trace: exit 2"
echo '#!/no/such/interpreter' >"$dir/broken" && chmod 755 "$dir/broken"
"$capture" -o "$dir/keep.kmt" -- "$dir/broken" 2>"$dir/keep.err"
is $? 2 "a command that cannot be run: exit 2"
like "$dir/keep.err" 'cannot run .*: No such file' "one sentence says so"
touch "$dir/plain"
"$capture" -o "$dir/keep.kmt" -- "$dir/plain" 2>"$dir/keep.err"
like "$dir/keep.err" 'cannot run .*/plain: Permission denied' "nor one without permission"
"$capture" -e vmap -d 0.000001 -o "$dir/keep.kmt" 2>"$dir/keep.err"
is $? 0 "a capture without an event exits 0"
like "$dir/keep.err" 'nothing was recorded .*the earlier trace stays' "it says that nothing was recorded"
cmp "$dir/page.kmt" "$dir/keep.kmt"
ok $? "after all of them the trace is what it was"
[ ! -e "$dir/keep.kmt.old" ]
ok $? "and no copy of it is left"
"$capture" -e vmap -d 0.000001 -o "$dir/empty.kmt" 2>"$dir/empty.err"
like "$dir/empty.err" 'nothing was recorded in' "without a trace before, too"
is "$(grep -c 'event)' "$dir/empty.err")" 0 "and no bytes per event"
"$capture" -q -d 0.2 -o "$dir/keep.kmt" -- true
is "$(sql "$dir/keep.kmt" "select value like 'slab,page%' from meta where key = 'groups'")" 1 \
	"a capture that succeeds replaces it"
[ ! -e "$dir/keep.kmt.old" ]
ok $? "without a trace of it"

# ---- a full disk ----
mkdir "$dir/small"
if mount -t tmpfs -o size=4m kmlab-test "$dir/small" 2>/dev/null; then
	trap 'umount "$dir/small"; rm -rf "$dir"' EXIT
	"$capture" -o "$dir/small/full.kmt" -- "$workload" --seconds 5 --scale 9 2>"$dir/full.err"
	is $? 2 "a full disk: exit 2"
	like "$dir/full.err" 'the disk is full.*; [1-9][0-9]* events are stored in' "it says how many events are stored"
	stored=$(sed -n 's/.*; \([0-9]*\) events are stored.*/\1/p' "$dir/full.err")
	is "$(sql "$dir/small/full.kmt" "select count(*) from event")" "$stored" "so many are read from it"
	rm -f "$dir"/small/* && mount -o remount,size=8m "$dir/small"
	cp "$dir/page.kmt" "$dir/small/keep.kmt"
	"$capture" -o "$dir/small/keep.kmt" -- "$workload" --seconds 5 --scale 9 2>"$dir/full.err"
	is $? 2 "a full disk, over a trace: exit 2"
	like "$dir/full.err" 'events are stored in .*, the earlier trace is in .*/keep.kmt.old$' "it says where both are"
	cmp "$dir/page.kmt" "$dir/small/keep.kmt.old"
	ok $? "the earlier one is what it was"
	rm -f "$dir"/small/*
	# An earlier trace beside it, and so little room that not even the start fits.
	cp "$dir/page.kmt" "$dir/small/keep.kmt" && dd if=/dev/zero of="$dir/small/ballast" bs=64k 2>/dev/null
	"$capture" -o "$dir/small/keep.kmt" -- "$workload" --seconds 5 2>"$dir/full.err"
	is $? 2 "no room at all: exit 2"
	cmp "$dir/page.kmt" "$dir/small/keep.kmt"
	ok $? "the earlier trace is what it was"
	is "$(ls "$dir/small")" $'ballast\nkeep.kmt' "and nothing is beside it"
	umount "$dir/small"
	trap 'rm -rf "$dir"' EXIT
else
	skip "a full disk" "cannot mount a small file system"
fi

# ---- no regular file ----
mkfifo "$dir/fifo" && mknod "$dir/null" c 1 3
for node in fifo null; do
	timeout 20 "$capture" -d 1 -o "$dir/$node" 2>"$dir/$node.err"
	is $? 2 "$node as the output: exit 2"
	like "$dir/$node.err" 'not a regular file' "one sentence says so"
done
[ -p "$dir/fifo" ] && [ -c "$dir/null" ]
ok $? "both are left as they are"

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
