#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The recorder's numbers against three that do not come from it: how many timers a program made, how
# often the kernel ran the BPF programs, how many events perf counted.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
build=${KMLAB_BUILD:?}
kmlab=${KMLAB:?}
capture=$build/kmlab-capture
workload=$build/kmlab-workload
statistics=/proc/sys/kernel/bpf_stats_enabled
PATH=$PATH:/usr/sbin:/usr/local/sbin

[ "$(id -u)" -eq 0 ] || skip_all "recording the kernel needs root"
[ -x "$capture" ] || skip_all "kmlab-capture is not built (libbpf-dev, clang, bpftool)"
dir=$(mktemp -d) || exit 1
# Another run of this test would restore the switch in the middle of this one.
[ ! -w $statistics ] || { exec 9<>$statistics && flock 9; }
before=$(cat $statistics 2>/dev/null)
cleanup() {
	[ -z "$before" ] || echo "$before" >$statistics
	rm -rf "$dir"
}
trap cleanup EXIT
"$capture" -q -d 0.01 -o "$dir/try.kmt" 2>"$dir/err" || skip_all "cannot record here: $(cat "$dir/err")"

sql() { # file query: the rows without the header
	"$kmlab" sql "$1" "$2" --format tsv | tail -n +2
}

# ---- a program that makes a known number of objects, and hands each to RCU to be freed ----
made=100003
"$capture" -q -o "$dir/timers.kmt" -- "$workload" --timers $made
is $? 0 "timers are recorded"
read -r allocated freed implied open <<<"$(sql "$dir/timers.kmt" "select count(*), sum(free_kind in ('explicit', 'cross_api')),
	sum(free_kind = 'implied'), sum(free_kind = 'open') from object where alloc_site like '\_\_do\_sys\_timerfd\_create+%' escape '\\'
	and alloc_comm = 'kmlab-workload'")"
is "$allocated" $made "$made timers are $made objects of their call site"
is $((freed + implied + open)) $made "and each is freed, implied or open"
# What was made last waits for RCU when recording ends, or for its address to be used again.
half=$(sql "$dir/timers.kmt" "select sum(free_kind <> 'open') from (select free_kind from object where
	alloc_site like '\_\_do\_sys\_timerfd\_create+%' escape '\' and alloc_comm = 'kmlab-workload' order by alloc_ns limit $((made / 2)))")
[ "$half" -gt $((made / 2 * 99 / 100)) ]
ok $? "of the first half 99 of 100 frees are known, seen or not"
leaked=$("$kmlab" check -q --top 0 --format tsv "$dir/timers.kmt" | awk -F'\t' '$1 == "leak" && /timerfd_create/ {n += $3} END {print n + 0}')
[ "$leaked" -lt $((made / 100)) ]
ok $? "what is not is no leak: the call site has hardly an object that is both old and live"
echo "# frees seen $freed, implied $implied, open at the end $open, of the first half known $half, of all old enough for a leak $leaked"

# ---- the same interval, counted by the kernel and by perf ----
# Two readings bracket a load. Each is a program of a name of its own, so that the trace itself says
# between which events it read, and the load's first and last event lie inside perf's interval.
for link in count-a count-z; do
	ln -s "$(command -v cat)" "$dir/$link"
done
ln -s "$(realpath "$workload")" "$dir/counted-load"
tracepoints="kmem:kmalloc kmem:kfree kmem:kmem_cache_alloc kmem:kmem_cache_free"
perf=$(perf stat -a -e "${tracepoints// /,}" true 2>&1 | grep -c '[0-9] *kmem:') # 4 where perf counts
cat >"$dir/bracket" <<-'END'
	#!/bin/bash
	# recorder's pid: PPID; $1: directory; others: the load
	dir=$1
	shift
	"$dir/count-a" /proc/$PPID/fdinfo/* >"$dir/a" 2>/dev/null
	"$@"
	"$dir/count-z" /proc/$PPID/fdinfo/* >"$dir/z" 2>/dev/null
	bpftool prog show >"$dir/names" 2>/dev/null
END
chmod +x "$dir/bracket"
load=("$dir/counted-load" --timers 200003)
[ "$perf" -eq 4 ] && load=(perf stat -a -x ' ' -o "$dir/perf" -e "${tracepoints// /,}" -- "${load[@]}")
[ -z "$before" ] || echo 1 >$statistics
"$capture" -e slab -o "$dir/T.kmt" -- "$dir/bracket" "$dir" "${load[@]}" >/dev/null 2>"$dir/err"
is $? 0 "a bracketed load is recorded"
recovered=$(sed -n 's/.*recovered \([0-9]*\)$/\1/p' "$dir/err")
read -r fired self lost null <<<"$(sql "$dir/T.kmt" "select (select sum(fired) from counts where kind <> 'kfree'),
	(select count from filtered where reason = 'self'), (select sum(count) from lost), (select count from filtered where reason = 'null')")"
read -r a0 a1 z0 z1 l0 l1 <<<"$(sql "$dir/T.kmt" "select min(case comm when 'count-a' then time_ns end), max(case comm when 'count-a' then time_ns end),
	min(case comm when 'count-z' then time_ns end), max(case comm when 'count-z' then time_ns end),
	min(case comm when 'counted-load' then time_ns end), max(case comm when 'counted-load' then time_ns end) from event")"
# Per kind: tracepoint, events surely between the readings, at most, during the load; before and after it.
sql "$dir/T.kmt" "select case kind when 'cache_alloc' then 'kmem_cache_alloc' when 'cache_free' then 'kmem_cache_free' else kind end,
	sum(time_ns > $a1 and time_ns < $z0), sum(time_ns between $a0 and $z1), sum(time_ns between $l0 and $l1),
	sum(time_ns < $a1 or time_ns > $z0), sum(time_ns < $l0 or time_ns > $l1) from event group by kind" >"$dir/recorded"

# Counts (lines "tracepoint number") against the recorded ones: prints what lies outside the bracket.
# What the recorder leaves out or lost has no time: its own events and frees of nothing may be in or
# out. The latter are many, so that the sum is of the other tracepoints.
compare() { # column of the least, column of what is outside the interval; counts on stdin
	awk -v least="$1" -v outside="$2" -v slack=$((recovered + $(nproc))) -v timeless=$((self + lost)) -v null="$null" -v fired="$fired" '
		NR == FNR { low[$1] = $least; high[$1] = $3; fired -= $1 == "kfree" ? 0 : $outside; next }
		!($1 in low) { next }
		{
			most = high[$1] + timeless + ($1 == "kfree" ? null : 0)
			if ($2 < low[$1] - slack || $2 > most + slack)
				print "# " $1 ": " $2 " is not from " low[$1] " to " most
			kinds++
			total += $1 == "kfree" ? 0 : $2
		}
		END {
			share = fired ? 100 * (total - fired) / fired : 100
			printf "# without kfree %d counted, %d fired: %+.3f %%\n", total, fired, share
			if (kinds != 4 || share > 0.5 || share < -0.5)
				print "# more than 0.5 % apart"
		}' "$dir/recorded" -
}

agree() { # what; compare said one line
	cat "$dir/verdict"
	[ "$(wc -l <"$dir/verdict")" -eq 1 ]
	ok $? "$1"
}
echo "# self $self, null $null, lost $lost, recovered $recovered"

if [ -z "$before" ]; then
	skip "the kernel's own count of program runs" "no kernel.bpf_stats_enabled"
elif ! grep -q '_first' "$dir/names"; then
	skip "the kernel's own count of program runs" "no bpftool that names programs"
else
	# First copies only: they run at each event but those that interrupt themselves.
	awk 'FILENAME ~ /names$/ { if ($1 ~ /^[0-9]+:$/) for (i = 2; i < NF; i++) if ($i == "name") name[$1 + 0] = $(i + 1); next }
		$1 == "prog_id:" { id = $2 }
		$1 == "run_cnt:" { runs[FILENAME, id] = $2; seen[id] }
		END { for (id in seen) if (sub(/_first$/, "", name[id])) print name[id], runs[ARGV[3], id] - runs[ARGV[2], id] }
	' "$dir/names" "$dir/a" "$dir/z" | compare 2 5 >"$dir/verdict"
	agree "the kernel ran the programs as often as the ledger says"
fi
if [ "$perf" -eq 4 ]; then
	awk '$2 ~ /^kmem:/ { print substr($2, 6), $1 }' "$dir/perf" | compare 4 6 >"$dir/verdict"
	agree "perf counted as many events"
else
	skip "perf's count of the events" "perf cannot count tracepoints here"
fi

done_testing
