#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Traces that follow one another: none of a known number of events is lost between two of them, the
# ledger of each balances, and together they are the ledger of the whole.
set -u
. "$(dirname "$0")/recording.sh"

total() { # query files: the sum over them
	local query=$1 sum=0
	shift
	for file in "$@"; do sum=$((sum + $(sql "$file" "$query"))); done
	echo $sum
}

# ---- under load, as often as it can ----
cat >"$dir/load" <<EOF
"$workload" --seconds 3 --scale 9 2>/dev/null &
for _ in 1 2 3 4 5 6 7 8 9 10; do "$workload" --timers 1009; sleep 0.2; done
wait
EOF
"$capture" -o "$dir/r.kmt" --rotate-time 0.3 -- sh "$dir/load" 2>"$dir/r.err"
is $? 0 "a rotated capture exits 0"
parts=("$dir"/r.[0-9]*.kmt)
[ ${#parts[@]} -ge 2 ]
ok $? "there are several traces"
[ ! -e "$dir/r.kmt" ]
ok $? "each has a number"
is "$(total "select count(*) from event where kind = 'kmalloc' and comm = 'kmlab-workload' and site like '__do_sys_timerfd_create%'" "${parts[@]}")" \
	10090 "10090 timers are exactly 10090 kmallocs in all of them"
is "$(total "select count(*) from event" "${parts[@]}")" \
	"$(sed -n 's/^kmlab: [0-9]* traces: \([0-9]*\) events.*/\1/p' "$dir/r.err")" \
	"together they have the events that were taken"
is "$(total "select sum(count) from lost where cause <> 'recursion'" "${parts[@]}")" 0 "nothing was lost between them"
few_hidden "$dir/r.err"
ok $? "nor to recursion more than now and then" || sed 's/^/# /' "$dir/r.err"
is "$(total "select sum(count) from lost" "${parts[@]}") $(total "select sum(count) from filtered" "${parts[@]}")" \
	"$(sed -n 's/^kmlab: lost \([0-9]*\), filtered \([0-9]*\).*/\1 \2/p' "$dir/r.err")" \
	"together they have what was lost and what was filtered"
for file in "${parts[@]}"; do
	"$kmlab" check "$file" >"$dir/check" 2>&1
	like "$dir/check" "^trace .*finished, [1-9][0-9]* events intact" "$(basename "$file") is finished, and as it should be"
	is "$(sql "$file" "select (select sum(fired) from counts) - (select sum(recorded) from counts) - (select sum(count) from lost) - (select sum(count) from filtered)")" \
		0 "its ledger balances"
	is "$(sql "$file" "select count(*) from counts where fired < recorded")" 0 "and no kind has more than fired"
done
duration=$(total "select value / 1000000 from meta where key = 'duration_ns'" "${parts[@]}")
whole=$(sed -n 's/^kmlab: [0-9]* traces: .* events in \([0-9]*\)\.\([0-9]*\) s.*/\1\2/p' "$dir/r.err")
[ $((10#$whole + 1)) -ge "$duration" ] && [ $((10#$whole - duration)) -le $((${#parts[@]} + 1)) ]
ok $? "there is no time between them" || echo "# $duration of $whole ms"
state="source = '/proc/buddyinfo'"
is "$(sql "$dir/r.2.kmt" "select text from snapshot where phase = 'start' and $state")" \
	"$(sql "$dir/r.1.kmt" "select text from snapshot where phase = 'end' and $state")" \
	"the second begins with the state the first ends with"
is "$(sql "$dir/r.2.kmt" "select count(*) from event where kind in ('cache_alloc','cache_free') and (cache is null or cache = '?')")" \
	0 "caches defined in the first have their names in the second"
is "$(sql "$dir/r.2.kmt" "select count(*) from event where comm is null or comm = ''")" 0 "and tasks"

# ---- keeping some, by size, after earlier ones ----
"$capture" -o "$dir/k.kmt" -e vmap --rotate-time 0.01 --keep 2 -d 1.5 2>"$dir/k.err"
is $? 0 "with --keep, exit 0"
made=$(sed -n 's/^kmlab: \([0-9]*\) traces: .*/\1/p' "$dir/k.err")
[ "${made:-0}" -ge 3 ]
ok $? "more were made"
is "$(cd "$dir" && echo k.*.kmt)" "$(printf 'k.%d.kmt\n' $((made - 1)) "$made" | sort | paste -sd' ')" \
	"than are kept: the last two"
cat >"$dir/load" <<EOF
for _ in 1 2 3 4 5 6 7 8 9 10; do
	"$workload" --seconds 1 --only sockets --scale 9 2>/dev/null
	[ -e "$dir/r.$((${#parts[@]} + 3)).kmt" ] && break
done
EOF
"$capture" -q -o "$dir/r.kmt" --rotate-size 1M -- sh "$dir/load"
is "$(sql "$dir/r.$((${#parts[@]} + 1)).kmt" "select value from meta where key = 'complete'")" 1 \
	"another recording goes on counting where the earlier one ended"
is "$(sql "$dir/r.$((${#parts[@]} + 2)).kmt" "select value from meta where key = 'complete'")" 1 "and rotates by size"

# ---- a full disk ----
mkdir "$dir/small"
if mount -t tmpfs -o size=6m kmlab-test "$dir/small" 2>/dev/null; then
	trap 'umount "$dir/small"; rm -rf "$dir"' EXIT
	"$capture" -o "$dir/small/f.kmt" --rotate-time 0.1 -- "$workload" --seconds 9 --scale 99 2>"$dir/f.err"
	is $? 2 "a full disk: exit 2"
	like "$dir/f.err" 'the disk is full' "one sentence says so"
	finished=$(sed -n 's/^kmlab: \(.*\.kmt\): .* bytes .*/\1/p' "$dir/f.err")
	is "$(for file in $finished; do sql "$file" "select value from meta where key = 'complete'"; done | sort -u)" \
		"${finished:+1}" "what was finished stays"
	umount "$dir/small"
	trap 'rm -rf "$dir"' EXIT
else
	skip "a full disk" "cannot mount a small file system"
fi

for bad in "--keep 2" "--rotate-time 1 --flight 1" "--rotate-size 3"; do
	# shellcheck disable=SC2086
	"$capture" -o "$dir/bad.kmt" $bad 2>/dev/null
	is $? 2 "$bad: exit 2"
done
done_testing
