#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# How much memory a long trace takes: large.sh TRACE [EVENTS (100000000)]. The trace is shifted behind
# itself and merged until there are that many events; what is read, repaired and summarised then
# tells its time and peak memory. Exit 1: some command needed 1 GiB or more.
set -u
trace=${1:?is the trace to repeat}
wanted=${2:-100000000}
kmlab=${KMLAB:-$(dirname "$0")/../../build/kmlab}
limit_kib=$((1 << 20))
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT

meta() { # file key
	sqlite3 "$1" "SELECT value FROM meta WHERE key = '$2'"
}

# As if it had been recorded later: begin in seconds since 1970, and a number of its own.
shift_to() { # file seconds
	sqlite3 "$1" "UPDATE meta SET value = strftime('%Y-%m-%dT%H:%M:%SZ', $2, 'unixepoch') WHERE key = 'started';
		UPDATE meta SET value = lower(hex(randomblob(16))) WHERE key = 'uuid'"
}

cp "$trace" "$dir/whole.kmt" || exit 2
begin=$(date -d "$(meta "$trace" started)" +%s)
events=$("$kmlab" info "$trace" -f json | sed -n 's/.*"events_total": *\([0-9]*\).*/\1/p')
n=${events:?cannot be read from the trace}
while [ "$n" -lt "$wanted" ]; do
	next=$dir/whole.kmt
	[ $((2 * n)) -le $((wanted + events)) ] || next=$trace
	cp "$next" "$dir/next.kmt"
	shift_to "$dir/next.kmt" $((begin + $(meta "$dir/whole.kmt" duration_ns) / 1000000000 + 2))
	"$kmlab" merge -q "$dir/whole.kmt" "$dir/next.kmt" -o "$dir/merged.kmt" >"$dir/out" || exit 2
	mv "$dir/merged.kmt" "$dir/whole.kmt"
	n=$("$kmlab" info "$dir/whole.kmt" -f json | sed -n 's/.*"events_total": *\([0-9]*\).*/\1/p')
done

worst=0
measure() { # name command…
	local name=$1
	shift
	/usr/bin/time -o "$dir/time" -f '%e %U %S %M' "$@" >"$dir/out" 2>"$dir/err"
	case $? in
	0 | 1) ;;
	*)
		cat "$dir/err" >&2
		exit 2
		;;
	esac
	read -r wall user system kib < <(tail -1 "$dir/time")
	[ "$kib" -le "$worst" ] || worst=$kib
	printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$wall" "$user" "$system" "$((kib / 1024))"
}
printf 'events\t%s\nfile_bytes\t%s\n' "$n" "$(stat -c %s "$dir/whole.kmt")"
printf 'command\twall_s\tuser_s\tsystem_s\tpeak_MiB\n'
measure info "$kmlab" info -q "$dir/whole.kmt"
measure stat "$kmlab" stat -q "$dir/whole.kmt" --by site
measure check "$kmlab" check -q "$dir/whole.kmt"
measure 'check --deep' "$kmlab" check -q --deep "$dir/whole.kmt"
measure 'object by free_kind' "$kmlab" sql -q "$dir/whole.kmt" \
	'SELECT free_kind, count(*), sum(bytes_alloc) FROM object GROUP BY 1'
[ "$worst" -lt "$limit_kib" ]
