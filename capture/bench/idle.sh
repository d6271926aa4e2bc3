#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# How much of what is recorded on an idle machine the recorder causes itself, all events on, and
# whether that feeds on itself: idle.sh [SECONDS (60)]. A recorder leaves its own events out of its
# trace, so a second one watches it (and writes to memory). Kernel threads that write its file for
# it cannot be told from those that write for others: all of kworker and jbd2 are counted as its own,
# so the share is an upper bound. The share depends on how idle the machine is; whether what is caused
# grows does not. Exit 1: 5 % or more, or growing.
set -u
seconds=${1:-60}
build=${KMLAB_BUILD:-$(dirname "$0")/../../build}
kmlab=${KMLAB:-$build/kmlab}
window=10
case $seconds in *[!0-9]* | '') seconds=0 ;; esac
if [ "$seconds" -lt $((3 * window)) ]; then
	echo "idle.sh: takes the seconds to record, at least $((3 * window))" >&2
	exit 2
fi
dir=$(mktemp -d) && shm=$(mktemp -d -p /dev/shm) || exit 2
trap 'rm -rf "$dir" "$shm"' EXIT
sync # what others wrote before is not written back on the recorder's account
# The mark is in both traces: it tells where one begins in the other.
ln -s "$(command -v sleep)" "$dir/idle-mark"
"$build/kmlab-capture" -q -e all -o "$shm/watch.kmt" -- sh -c "echo \$\$ >'$dir/pid'; echo \$PPID >'$dir/watcher'
	exec '$build/kmlab-capture' -q -e all -o '$dir/T.kmt' -- '$dir/idle-mark' $seconds" || exit 2

sql() { # file query: the rows without the header
	"$kmlab" sql "$1" "$2" --format tsv | tail -n +2
}

rows() { # file kind condition: "kind window events" from the mark on
	local from
	from=$(sql "$1" "select min(time_ns) from event where comm = 'idle-mark'")
	sql "$1" "select '$2', (time_ns - $from) / ($window * 1000000000), count(*) from event
		where time_ns >= $from and $3 group by 2"
}

of() { # process: its threads' events
	echo "tid in (select tid from task where tgid = $1)"
}
{
	rows "$dir/T.kmt" others "not $(of "$(cat "$dir/watcher")")"
	rows "$dir/T.kmt" writing "(comm like 'kworker/%' or comm like 'jbd2/%')"
	rows "$shm/watch.kmt" self "context = 'process' and $(of "$(cat "$dir/pid")")"
} | awk -v windows=$((seconds / window)) -v window=$window -v own="$(sql "$dir/T.kmt" "select count from filtered where reason = 'self'")" '
	{ n[$1, $2] = $3 }
	END {
		print "from_s\tevents\tself\twriting\tshare_percent"
		for (w = 0; w < windows; w++) {
			all = n["others", w] + n["self", w]
			caused = n["self", w] + n["writing", w]
			printf "%d\t%d\t%d\t%d\t%.2f\n", w * window, all, n["self", w], n["writing", w], all ? 100 * caused / all : 0
			total += all; self += n["self", w]
			x += w; y += caused; xx += w * w; xy += w * caused; yy += caused * caused
		}
		mean = y / windows; sxx = xx - x * x / windows; slope = (xy - x * mean) / sxx
		rest = yy - y * mean - slope * (xy - x * mean)
		error = sqrt((rest > 0 ? rest : 0) / (windows - 2) / sxx)
		share = total ? 100 * y / total : 0
		growing = slope > 2 * error && slope * windows > mean / 2
		printf "share %.2f %% (self alone %.2f %%); caused %.0f events per %d s, slope %+.0f +- %.0f: %s\n", share,
			total ? 100 * self / total : 0, mean, window, slope, error, growing ? "growing" : "not growing" >"/dev/stderr"
		printf "the recorder itself counted %d events as its own\n", own >"/dev/stderr"
		exit share >= 5 || growing
	}'
