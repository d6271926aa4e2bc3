#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Record the bundled samples anew on this machine (root). What tells of the machine beyond its kernel is taken out: the
# boot line, and names of processes that had nothing to do with the command. Usage: make.sh [NAME …]
set -eu
cd "$(dirname "$0")/../.."
kmlab=${KMLAB:-build/kmlab}
out=traces/samples
PATH=$(cd "$(dirname "$kmlab")" && pwd):$PATH

# record NAME KEPT-COMMS COMMAND…
record() {
	name=$1 kept=$2
	shift 2
	"$kmlab" capture -q -o "$out/$name.kmt" -- "$@" >/dev/null
	sqlite3 "$out/$name.kmt" "
		DELETE FROM snapshot WHERE source IN ('/proc/cmdline', '/proc/version', '/proc/cpuinfo');
		UPDATE task SET comm = 'other' WHERE id > 0 AND comm NOT IN ($kept)
			AND comm NOT LIKE 'kworker/%' AND comm NOT LIKE 'ksoftirqd/%'
			AND comm NOT LIKE 'kmlab-%' AND comm NOT LIKE 'swapper/%' AND comm NOT LIKE 'rcu%'
			AND comm NOT LIKE 'jbd2/%' AND comm NOT LIKE 'kswapd%';
		PRAGMA page_size = 4096; VACUUM;" >/dev/null
}

want() {
	[ "$wanted" = all ] || [[ " $wanted " == *" $1 "* ]]
}

wanted=${*:-all}
if want fork; then
	record fork "'sh', 'true', 'seq'" sh -c 'for i in $(seq 211); do /bin/true; done'
fi
if want walk; then
	record walk "'find', 'sh', 'wc'" sh -c 'find /usr/include -type f -size +1k | wc -l'
fi
if want messages; then
	record messages "'kmlab-workload'" kmlab-workload --seconds 1 --only sockets
fi
if want compile; then
	record compile "'gcc', 'cc1', 'as', 'collect2', 'sh'" sh -c \
		'for file in engine/slub_*.c; do gcc -Iengine/include -O1 -c $file -o /dev/null; done'
fi
# Tables of megabytes, which kvmalloc() places: of descriptors (dup2(2), then copied for a child), of futex hash buckets
# (prctl(PR_FUTEX_HASH, PR_FUTEX_HASH_SET_SLOTS), Linux 6.16), and what a sysctl is read into.
if want tables; then
	record tables "'perl'" perl -e 'for (1000, 19000) { syscall 33, 1, $_; fork || exit; wait }' -e \
		'for (1, 2) { syscall 157, 78, 1, 1 << $_, 0, 0 for 6 .. 16;' -e \
		'for (64, 256, 512, 1024, 2048, 2560, 3072, 3840) {' -e \
		'open F, "<", "/proc/sys/kernel/osrelease"; sysread F, $buffer, $_ << 10 } }'
fi
ls -l "$out"/*.kmt
