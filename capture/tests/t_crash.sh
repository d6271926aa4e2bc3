#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A recorder that is killed at any instant, under load, leaves a trace that opens, is sound and
# holds every chunk that was committed, and an earlier trace as it was; so does one whose disk is
# full. KMLAB_KILLS=200 kills more often; KMLAB_SEED repeats the instants of an earlier run.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
build=${KMLAB_BUILD:?}
kmlab=${KMLAB:?}
capture=$build/kmlab-capture
few=12
kills=${KMLAB_KILLS:-$few}
RANDOM=${KMLAB_SEED:=$((($(date +%s) + $$) % 32768))}

[ "$(id -u)" -eq 0 ] || skip_all "recording the kernel needs root"
[ -x "$capture" ] || skip_all "kmlab-capture is not built (libbpf-dev, clang, bpftool)"
dir=$(mktemp -d) || exit 1
load=
cleanup() {
	[ -z "$load" ] || kill -TERM "$load"
	umount "$dir/small" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
"$capture" -q -d 0.1 -o "$dir/earlier" 2>"$dir/err" || skip_all "cannot record here: $(cat "$dir/err")"
"$build/kmlab-workload" --seconds 100000 --scale 1000000 >/dev/null 2>&1 &
load=$!

sql() { # file query: the rows without the header
	"$kmlab" sql "$1" "$2" --format tsv 2>"$dir/err" | tail -n +2
}

wrong() { # what
	echo "$now: $1" >>"$dir/wrong"
}
: >"$dir/wrong"

# Is it whole? Sets events and chunks.
examine() { # file
	local rows
	"$kmlab" check -q --format tsv "$1" >"$dir/check" 2>"$dir/err"
	[ $? -le 1 ] || wrong "not examined: $(cat "$dir/err")"
	! grep -q '^integrity' "$dir/check" || wrong "$(grep -m 1 '^integrity' "$dir/check")"
	rows=$(sql "$1" "select (select count(*) from event), (select coalesce(sum(events), 0) from chunk),
		(select count(*) from chunk), (select coalesce(max(id), 0) from chunk),
		(select count(*) from (select first_seq, lag(first_seq + events, 1, 0) over (partition by cpu order by id) as due
			from chunk) where first_seq <> due)")
	[ -n "$rows" ] || wrong "it does not open: $(cat "$dir/err")"
	read -r events indexed chunks last apart <<<"${rows:-0 0 0 0 0}"
	[ "$events" -eq "$indexed" ] || wrong "$events of $indexed events are read"
	[ "$chunks" -eq "$last" ] || wrong "there are $chunks chunks, the last is number $last"
	[ "$apart" -eq 0 ] || wrong "$apart chunks do not follow those before them"
}

# ---- killed: each third over an earlier trace; at each second one knows what was committed ----
# The instant lies within a second of the recorder's start, of the first sight of its file, or of
# the end of what it records.
kill_one() { # number
	local over=$(($1 % 3 == 0)) look=$(($1 % 2 == 0)) instant=$((RANDOM * 1000 / 32768)) seen="" pid
	local since=T.kmt-wal what=(-d 0.5)

	case $(($1 % 6)) in
	1) since=. ;;
	3 | 4) since=ended what=(-- touch "$dir/ended") ;;
	esac
	now="kill $1 at $instant ms since $since"
	rm -f "$dir"/T.kmt* "$dir/ended"
	[ $over -eq 0 ] || cp "$dir/earlier" "$dir/T.kmt"
	"$capture" -q -o "$dir/T.kmt" "${what[@]}" 2>/dev/null &
	pid=$!
	until [ -e "$dir/$since" ] || ! kill -0 $pid 2>/dev/null; do
		sleep 0.02
	done
	sleep "$(printf '%d.%03d' $((instant / 1000)) $((instant % 1000)))"
	[ $look -eq 0 ] || [ ! -e "$dir/T.kmt-wal" ] || seen=$(sql "$dir/T.kmt" "select count(*) from chunk where id > 0")
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
	if [ $over -ne 0 ] && [ -e "$dir/T.kmt.old" ]; then
		cmp -s "$dir/T.kmt.old" "$dir/earlier" || wrong "the earlier trace is not what it was"
	elif [ $over -ne 0 ] && cmp -s "$dir/T.kmt" "$dir/earlier"; then
		rm "$dir/T.kmt" # it had not begun
	fi
	sql "$dir/T.kmt" "select 1" >"$dir/first" # takes back what was begun: its first transaction, too
	if [ ! -s "$dir/T.kmt" ] && [ ! -s "$dir/T.kmt-wal" ]; then
		before=$((before + 1))
		[ -z "$seen" ] || wrong "the trace is gone"
		return
	fi
	examine "$dir/T.kmt"
	[ "$chunks" -ge "${seen:-0}" ] || wrong "$seen chunks were committed, $chunks are there"
	[ -z "$seen" ] || looks=$((looks + 1))
	all_events=$((all_events + events)) all_chunks=$((all_chunks + chunks))
	if [ "$(sql "$dir/T.kmt" "select value from meta where key = 'complete'")" = 1 ]; then
		complete=$((complete + 1))
		[ ! -e "$dir/T.kmt.old" ] || kept=$((kept + 1)) # killed before it removed it
	else
		broken_off=$((broken_off + 1))
	fi
}

before=0 looks=0 complete=0 kept=0 broken_off=0 all_events=0 all_chunks=0
for ((i = 0; i < kills; i++)); do
	kill_one $i
done
is "$(cat "$dir/wrong")" "" "after $kills kills every trace is whole, and so is an earlier one"
[ $broken_off -gt 0 ]
ok $? "some of them were being written"
echo "# seed $KMLAB_SEED: killed with nothing stored $before, while writing $broken_off, complete $complete (with the earlier one beside it $kept)"
echo "# $all_chunks chunks with $all_events events; $looks times the chunks were counted just before"

# ---- a full disk ----
mkdir "$dir/small"
if mount -t tmpfs -o size=16m kmlab-test "$dir/small" 2>/dev/null; then
	now="full disk"
	: >"$dir/wrong"
	[ "$kills" -gt $few ] || dd if=/dev/zero of="$dir/small/ballast" bs=1M count=12 2>/dev/null
	"$capture" -d 100 -o "$dir/small/T.kmt" 2>"$dir/full"
	is $? 2 "a full disk of 16 MiB: exit 2"
	like "$dir/full" 'the disk is full.*; [1-9][0-9]* events are stored in' "it says how many events are stored"
	examine "$dir/small/T.kmt"
	is "$(cat "$dir/wrong")" "" "and the trace is whole"
	is "$events" "$(sed -n 's/.*; \([0-9]*\) events are stored.*/\1/p' "$dir/full")" "with so many events"
	echo "# $chunks chunks with $events events"
else
	skip "a full disk" "cannot mount a small file system"
fi

done_testing
