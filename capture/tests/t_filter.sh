#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is recorded when not all is: filters follow the objects they chose, sampling keeps both ends
# of a lifetime, and whatever was left out is counted.
set -u
. "$(dirname "$0")/recording.sh"

trace=$dir/trace.kmt
record() { # OPTIONS… -- COMMAND…
	rm -f "$trace"
	"$capture" -o "$trace" "$@" >/dev/null 2>"$dir/err"
	is $? 0 "${*%% -- *}: recorded"
	balance
}
balance() {
	is "$(sql "$trace" "select (select sum(fired) from counts) - (select sum(recorded) from counts) - (select sum(count) from lost) - (select sum(count) from filtered)")" \
		0 "fired = recorded + lost + filtered"
}

# ---- filters ----
record --cache dentry -- "$workload" --seconds 1
is "$(sql "$trace" "select group_concat(kind || ' ' || cache) from (select distinct kind, cache from event order by 1)")" \
	"cache_alloc dentry,cache_free dentry" "--cache records objects of that cache, and their frees"
is "$(sql "$trace" "select count from filtered where reason = 'excluded'" | grep -c '^[1-9]')" 1 "the others are counted"
is "$(sql "$trace" "select value from meta where key = 'filter'")" "cache=dentry" "the trace says what was asked for"
is "$(sql "$trace" "select count(*) from event f where kind = 'cache_free' and not exists (select 1 from event a where a.kind = 'cache_alloc' and a.ptr = f.ptr and a.time_ns <= f.time_ns)")" \
	0 "no free is recorded whose allocation was not"

record --cache 'ext*,inode_c*,dent*' -- "$workload" --seconds 1
is "$(sql "$trace" "select count(*) from event where cache not like 'ext%' and cache not like 'inode\_c%' escape '\\' and cache <> 'dentry'")" \
	0 "several words are any of them, * ends a prefix"

record --site __do_sys_timerfd_create -- "$workload" --timers 2003
is "$(sql "$trace" "select count(*) from event where kind = 'kmalloc'")" 2003 "--site records the calls of a function, exactly"
is "$(sql "$trace" "select count(*) from event where kind = 'kmalloc' and site not like '__do_sys_timerfd_create%'")" 0 "and no others"

record --comm kmlab-workload --size 100-200 -- "$workload" --seconds 1
is "$(sql "$trace" "select min(bytes_req) >= 100 and max(bytes_req) <= 200 from event where kind in ('kmalloc', 'cache_alloc')")" 1 \
	"--size is bytes as they were asked for"
is "$(sql "$trace" "select group_concat(distinct comm) from event where kind in ('kmalloc', 'cache_alloc')")" kmlab-workload \
	"--comm chooses who allocates; several filters are all of them"
is "$(sql "$trace" "select count(*) > 0 from event where kind like '%free' and comm <> 'kmlab-workload'")" 1 \
	"a free is recorded whoever frees"

record --cache kmalloc-64 -- "$workload" --seconds 1
is "$(sql "$trace" "select group_concat(distinct bytes_alloc) from event where kind = 'kmalloc'")" 64 \
	"--cache kmalloc-64 is told by the size"

while :; do read -r line </proc/self/stat; done 2>/dev/null &
pid=$!
record --pid "$pid" -d 0.7
kill "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
is "$(sql "$trace" "select count(*) from event where kind in ('kmalloc', 'cache_alloc') and tid not in (select tid from task where tgid = $pid)")" 0 \
	"--pid chooses by process"
is "$(sql "$trace" "select count(*) > 100 from event where kind in ('kmalloc', 'cache_alloc')")" 1 "and finds what it does"

# ---- sampling ----
record --sample 1/8 -- "$workload" --seconds 1
is "$(sql "$trace" "select value from meta where key = 'sample'")" 8 "the trace says which share was kept"
is "$(sql "$trace" "select count from filtered where reason = 'sampled'" | grep -c '^[1-9]')" 1 "the others are counted"
open=$(sql "$trace" "select 100 * (select count from repair where name = 'open') / (select count from repair where name = 'objects')")
[ "${open:-100}" -lt 30 ]
ok $? "both ends of a lifetime survive (open at the end: $open %)"

# The number of timers is known; what is estimated of a part of them has an error.
record --sample 1/8 -e slab -- "$workload" --timers 20011
"$KMLAB" stat -q -f tsv "$trace" --by site >"$dir/stat.tsv"
near=$(awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
	/timerfd_create/ { off = $column["hits"] - 20011; error = $column["hits_se"] }
	END { print (error > 0 && off * off <= 16 * error * error ? "near" : "off by " off " with an error of " error) }' "$dir/stat.tsv")
is "$near" near "stat's estimate of 20011 timers is within four standard errors"

# ---- stacks ----
record --stacks -e slab -- "$workload" --seconds 1
is "$(sql "$trace" "select count(*) * 100 >= (select count(*) from event) * 95 from event where stack > 0")" 1 "--stacks: events have theirs"
is "$(sql "$trace" "select count(*) > 10 and count(*) < (select count(*) from event) from stack")" 1 "each is stored once"

# ---- a budget: what it chose, and of which costs ----
for groups in slab page vmap; do
	"$capture" -e $groups --budget 99.9% -o "$trace" -- "$workload" --seconds 3 >/dev/null 2>"$dir/budget.err"
	is $? 0 "$groups within a budget"
	like "$dir/budget.err" "budget 99.9%: of .* all are recorded, which takes about" "it says what that takes"
	is "$(grep -c 'only measured with slab or page' "$dir/budget.err") $(grep -c '; ? ns to see' "$dir/budget.err")" \
		"$([ $groups = vmap ] && echo 1 1 || echo 0 0)" "and whether it knows what seeing an event takes"
done

# ---- misuse ----
for bad in "--site no_such_function" "--site [no_such_module]" "--cache kmalloc-cg-64" "--pid x" "--size 9-3" \
	"--sample 1/0" "--sample 8" "--comm a_name_longer_than_fifteen" "--cgroup /no/such/cgroup" "--budget 0" "--keep 3" "--trigger failed"; do
	# shellcheck disable=SC2086
	"$capture" -d 1 -o "$dir/bad.kmt" $bad 2>"$dir/bad.err"
	is $? 2 "$bad: exit 2"
done
[ ! -e "$dir/bad.kmt" ]
ok $? "no file is left behind"

# ---- in a PID namespace numbers are not the machine's ----
if unshare -pf --mount-proc true 2>/dev/null; then
	unshare -pf --mount-proc "$capture" -d 0.2 --pid 1 -o "$dir/namespace.kmt" >/dev/null 2>"$dir/err"
	is $? 2 "in a PID namespace --pid exits 2"
	like "$dir/err" "PID namespace .* choose by --comm or --cgroup" "and says what to do"
	unshare -pf --mount-proc "$capture" -q -d 0.2 -o "$dir/namespace.kmt"
	is $? 0 "without it recording works there"
	[ "$(sql "$dir/namespace.kmt" "select count from filtered where reason = 'self'")" -gt 0 ]
	ok $? "and the recorder knows what is its own"
else
	skip "PID namespaces" "unshare(1) cannot make one here"
fi

done_testing
