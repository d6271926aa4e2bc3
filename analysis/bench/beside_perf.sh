#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `kmlab stat --by site` beside `perf kmem stat --caller`, and the files beside perf.data:
# beside_perf.sh [ROUNDS (7)]. A load is recorded by each in turn (LOAD, or messages between
# processes; DIR keeps the files), for perf a shorter one (PERF_LOAD), which its largest buffers hold:
# where it loses frees, what both count is not the load any more. perf's own file is also imported, so
# that both count the very same events. The readings alternate; figures are the median of the rounds
# with least and most, the comparisons those of the ratios within the rounds, by wall time and by CPU
# time. Needs root and perf.
set -u
rounds=${1:-7}
build=${KMLAB_BUILD:-$(dirname "$0")/../../build}
kmlab=${KMLAB:-$build/kmlab}
load=${LOAD:-perf bench sched messaging -g 4 -l 1600}
perf_load=${PERF_LOAD:-${LOAD:-perf bench sched messaging -g 4 -l 400}}
if [ "$(id -u)" -ne 0 ] || ! command -v perf >/dev/null || [ ! -x "$build/kmlab-capture" ]; then
	echo "beside_perf.sh: perf.data is not compared: recording needs root, perf and kmlab-capture" >&2
	exit 0
fi
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
dir=${DIR:-$scratch}

field() { # trace key
	"$kmlab" info -q -f json "$1" | sed -n "s/^ *\"$2\": *\([0-9]*\).*/\1/p" | head -1
}

# shellcheck disable=SC2086 # the load is words
"$kmlab" capture -q -e slab -o "$dir/own.kmt" -- $load >"$scratch/out" 2>&1 || exit 2
# shellcheck disable=SC2086
perf kmem --slab record -m 65536 -o "$scratch/perf.data" -- $perf_load >"$scratch/out" 2>&1 || exit 2
"$kmlab" import -q perf "$scratch/perf.data" -o "$scratch/same.kmt" >"$scratch/out" || exit 2

reading() { # name events command…: a line of it
	local name=$1 events=$2
	shift 2
	# By the shell, which tells milliseconds: time(1) tells hundredths, of a reading of six.
	{ LC_ALL=C TIMEFORMAT='%3R %3U %3S'; time "$@" >"$scratch/out" 2>"$scratch/err"; } 2>"$scratch/time" || {
		cat "$scratch/err" >&2
		exit 2
	}
	echo "$name $events $(tail -1 "$scratch/time")" >>"$scratch/readings"
}

same=$(field "$scratch/same.kmt" events_total)
own=$(field "$dir/own.kmt" events_total)
for _ in $(seq "$rounds"); do
	reading perf "$same" perf kmem -i "$scratch/perf.data" --slab --caller stat
	reading same "$same" "$kmlab" stat -q "$scratch/same.kmt" --by site
	reading own "$own" "$kmlab" stat -q "$dir/own.kmt" --by site
done
reading script "$same" perf script -i "$scratch/perf.data"

row() { # name file events lost
	awk -v name="$1" -v bytes="$(stat -c %s "$2")" -v events="$3" -v lost="$4" 'BEGIN {
		printf "%-34s%10d events, %5.1f %% lost, %7.2f B/event\n", name, events, 100 * lost / (events + lost), bytes / events }'
}
row 'perf.data' "$scratch/perf.data" "$same" "$(field "$scratch/same.kmt" lost_total)"
row 'the same events, imported' "$scratch/same.kmt" "$same" "$(field "$scratch/same.kmt" lost_total)"
row 'own recording of the load' "$dir/own.kmt" "$own" "$(field "$dir/own.kmt" lost_total)"
awk '
	function line(title, wall, cpu, n, unit) {
		printf "%-34s%8.2f %s (%.2f .. %.2f), of CPU time %.2f (%.2f .. %.2f)\n", title, middle(wall, n), unit,
			wall[1], wall[n], middle(cpu, n), cpu[1], cpu[n]
	}
	function middle(values, n, i, j, value) {
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && values[j] < values[j - 1]; j--) {
				value = values[j]; values[j] = values[j - 1]; values[j - 1] = value
			}
		return values[int((n + 1) / 2)]
	}
	function rate(title, name, i, wall, cpu) {
		for (i = 1; i <= count[name]; i++) {
			wall[i] = walls[name, i]; cpu[i] = cpus[name, i]
		}
		line(title, wall, cpu, count[name], "M/s")
	}
	function ratio(title, fast, slow, i, wall, cpu) {
		for (i = 1; i <= count[fast]; i++) {
			wall[i] = walls[fast, i] / walls[slow, i]; cpu[i] = cpus[fast, i] / cpus[slow, i]
		}
		line(title, wall, cpu, count[fast], "x  ")
	}
	{
		i = ++count[$1]
		walls[$1, i] = $2 / ($3 > 0 ? $3 : 0.001) / 1e6
		cpus[$1, i] = $2 / ($4 + $5 > 0 ? $4 + $5 : 0.001) / 1e6
	}
	END {
		rate("perf script", "script")
		rate("perf kmem stat --caller", "perf")
		rate("kmlab stat --by site, same events", "same")
		ratio("  ratio", "same", "perf")
		rate("kmlab stat --by site, own", "own")
		ratio("  ratio", "own", "perf")
	}' "$scratch/readings"
