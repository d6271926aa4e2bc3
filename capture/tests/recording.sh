#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by tests that record this machine's kernel: skips where it cannot be recorded; what is
# tested, a directory $dir that goes away at the end, and SQL over a trace.
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

sql() { # FILE QUERY: the rows without the header
	"$kmlab" sql "$1" "$2" --format tsv | tail -n +2
}

# What was lost for want of room or by contention. To recursion one event in some millions is lost
# where an interrupt meets an interrupt's program, or a virtual machine drops a watchpoint's trap.
lost_but_hidden() { # FILE: what is lost beyond one event of 100 000 to recursion
	sql "$1" "select coalesce(sum(case cause when 'recursion'
		then max(0, count - 1 - (select sum(fired) / 100000 from counts)) else count end), 0) from lost"
}

# The events that the summary says were lost to recursion are at most as many as those recovered.
few_hidden() { # ERR
	awk '/^kmlab: lost / {lost = $3; recovered = $NF; seen = 1}
		END {exit !seen || lost + 0 > (recovered > 16 ? recovered / 16 : 1)}' "$1"
}
