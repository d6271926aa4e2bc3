#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# `make demo`: record the live kernel under the bundled workload, replay it through every model, draw
# the comparison. Where the kernel cannot be recorded, a bundled sample stands in, and the output says so.
set -u
cd "$(dirname "$0")/.." || exit 2
kmlab=${KMLAB:-build/kmlab}
out=${1:-results/demo}
trace=$out/demo.kmt
runs=$out/demo.kmr
mkdir -p "$out" || exit 2

finish() {
	[ "$1" -eq 0 ] && return
	echo "demo: stopped at '$2' (exit $1)" >&2
	exit "$1"
}

echo "1. recording this kernel while the workload runs: processes, files, sockets, pipes, memory"
rm -f "$trace" "$runs"
"$kmlab" capture -o "$trace" -- "${kmlab}-workload" --seconds 6 --scale 3
status=$?
[ "$status" -eq 130 ] && exit 130
if [ "$status" -ne 0 ] || [ ! -s "$trace" ]; then
	trace=traces/samples/fork.kmt
	echo "   this kernel could not be recorded (the reason stands above); going on with the sample $trace"
fi
echo "2. what was recorded"
"$kmlab" info "$trace"
finish $? "info"
echo
echo "3. replaying it through every model, three times each, interleaved; touching the objects on real memory"
"$kmlab" replay "$trace" --model kernel,slub,slub@6.1,buddy,vmalloc,bump,null --reps 3 --touch -o "$runs"
finish $? "replay"
echo
echo "4. drawing"
page=$("$kmlab" report "$runs" -o "$out/report")
finish $? "report"
echo
echo "report: $page"
