#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `stat` against `perf kmem stat`: both record one small workload at once, and of its call site they
# must say the same, to the byte.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
: "${KMLAB:?is the program to test}"
build=$(dirname "$KMLAB")
timers=1009
[ -x "$build/kmlab-capture" ] || skip_all "capture is not built here"
[ "$(id -u)" -eq 0 ] || skip_all "recording needs root"
command -v perf >/dev/null || skip_all "perf is not installed"
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 2

timeout 60 "$KMLAB" capture -q -e slab -o t.kmt -- perf kmem --slab record -m 4096 -o p.data -- \
	"$build/kmlab-workload" --timers $timers >record.out 2>&1
[ -s p.data ] && [ -s t.kmt ] || skip_all "perf kmem cannot record here: $(tail -1 record.out)"

# site  allocated  requested  hits
perf kmem -i p.data --slab --caller stat 2>/dev/null |
	awk -F'|' '/timerfd_create/ {split($2, a, "/"); split($3, r, "/"); sub(/^ */, "", $1)
		sub(/\+.*/, "", $1); print $1, a[1] + 0, r[1] + 0, $4 + 0}' >perf.rows
"$KMLAB" stat t.kmt --by site -q -f tsv >stat.tsv
ok $? "stat"
awk -F'\t' '/timerfd_create/ {sub(/\+.*/, "", $1); print $1, $4, $3, $2}' stat.tsv >stat.rows
if grep -qi 'lost' record.out; then
	skip "the call site's row is that of perf" "perf lost events"
else
	is "$(cat stat.rows)" "$(cat perf.rows)" "the call site's row is that of perf"
fi
is "$(cut -d' ' -f4 stat.rows)" "$timers" "and has one allocation per timer"

# perf's own file, imported: perf's totals, to the byte, and perf's losses.
"$KMLAB" import -q perf p.data -o i.kmt >import.out 2>&1
is "$?" 0 "its file is imported"
perf kmem -i p.data --slab --caller stat 2>/dev/null | awk -F'[:/]' '/^Total bytes requested/ {req = $2 + 0}
	/^Total bytes allocated/ {alloc = $2 + 0} /^Cross CPU allocations/ {hits = $3 + 0} END {print hits, req, alloc}' >perf.total
"$KMLAB" sql -q -f tsv i.kmt "SELECT count(*), sum(bytes_req), sum(bytes_alloc) FROM event
	WHERE kind IN ('kmalloc', 'cache_alloc')" | tail -1 | tr '\t' ' ' >import.total
is "$(cat import.total)" "$(cat perf.total)" "and has perf's totals"
lost=$(perf report -i p.data --stats --stdio 2>/dev/null | awk '/LOST_SAMPLES events/ && !/\(/ {n += $3} END {print n + 0}')
is "$("$KMLAB" info -q -f json i.kmt | sed -n 's/.*"lost_total": *\([0-9]*\).*/\1/p')" "$lost" "and perf's losses"
"$KMLAB" check t.kmt --deep -q -f json >check.json
is "$?" 0 "check finds the capture sound, and no misuse"
done_testing
