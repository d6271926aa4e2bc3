#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Text of ftrace and of trace-cmd, recorded here, becomes a trace of as many events of each kind and as
# many bytes as its lines say. ftrace records into an instance of its own.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
: "${KMLAB:?is the program to test}"
workload=$(dirname "$KMLAB")/kmlab-workload
tracing=/sys/kernel/tracing
[ "$(id -u)" -eq 0 ] || skip_all "recording needs root"
[ -d $tracing/events/kmem ] || skip_all "tracefs is not mounted at $tracing"
dir=$(mktemp -d) || exit 2
instance=$tracing/instances/kmlab-test-$$
mkdir "$instance" 2>"$dir/err" || skip_all "ftrace cannot be used here: $(cat "$dir/err")"
trap 'rmdir "$instance" 2>/dev/null; rm -rf "$dir"' EXIT
events="kmalloc kfree kmem_cache_alloc kmem_cache_free"

enable() { # 0 or 1
	for event in $events; do
		echo "$1" >"$instance/events/kmem/$event/enable"
	done
}

# kind, events, bytes asked for and got, by the lines; freeing nothing is no event
by_lines() { # FILE
	grep -E ' (kmalloc|kfree|kmem_cache_alloc|kmem_cache_free): ' "$1" | grep -vE 'ptr=(0x0+|0+|\(nil\)|\(null\))( |$)' |
		sed -E 's/^.* (kmem_cache_)?k?(malloc|free|alloc): /\1\2 /; s/^kmem_cache_/cache_/; s/^(malloc|free) /k\1 /' |
		awk '{req = match($0, /bytes_req=[0-9]+/) ? substr($0, RSTART + 10, RLENGTH - 10) : 0
			alloc = match($0, /bytes_alloc=[0-9]+/) ? substr($0, RSTART + 12, RLENGTH - 12) : 0
			n[$1]++; r[$1] += req; a[$1] += alloc}
			END {for (kind in n) print kind, n[kind], r[kind], a[kind]}' | sort
}

same() { # FILE what
	"$KMLAB" import -q ftrace "$1" --kernel "$(uname -r)" -o "$dir/i.kmt" >"$dir/out" 2>&1
	is "$?" 0 "$2 is imported"
	"$KMLAB" sql -q -f tsv "$dir/i.kmt" "SELECT kind, count(*), sum(bytes_req), sum(bytes_alloc) FROM event GROUP BY 1" |
		tail -n +2 | tr '\t' ' ' | sort >"$dir/rows"
	is "$(cat "$dir/rows")" "$(by_lines "$1")" "its events are those of its lines"
	is "$("$KMLAB" sql -q -f tsv "$dir/i.kmt" "SELECT count(*) FROM event WHERE kind = 'kmalloc' AND site LIKE '%timerfd_create+%'" |
		tail -1)" 1009 "with one allocation per timer"
	"$KMLAB" check "$dir/i.kmt" --deep -q -f json >"$dir/check"
	ok "$(($? < 2 ? 0 : 1))" "and the trace is sound"
}

echo 30000 >"$instance/buffer_size_kb"
[ -e "$instance/options/hash-ptr" ] && echo 0 >"$instance/options/hash-ptr"
enable 1
"$workload" --timers 1009 >"$dir/out" 2>&1
enable 0
cat "$instance/trace" >"$dir/text"
if grep -q 'overrun: [1-9]' "$instance"/per_cpu/cpu*/stats; then
	skip "ftrace's text" "its buffers were too small"
else
	same "$dir/text" "ftrace's text"
fi
raw=()
for cpu in "$instance"/per_cpu/cpu*; do
	timeout 2 cat "$cpu/trace_pipe_raw" >"$dir/${cpu##*/}"
	raw+=("${cpu##*/}")
done
if ! command -v trace-cmd >/dev/null; then
	skip "trace-cmd report" "trace-cmd is not installed"
elif ! (cd "$dir" && trace-cmd restore -o t.dat "${raw[@]}" && trace-cmd report t.dat >report 2>/dev/null) >"$dir/out" 2>&1; then
	skip "trace-cmd report" "it cannot read this kernel's buffers: $(tail -1 "$dir/out")"
else
	same "$dir/report" "the text of trace-cmd report"
fi
done_testing
