#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kmlab sweep: what a plan holds and refuses; that runs killed in the middle, shards put together and jobs run side by side give
# the numbers of one undisturbed run, byte for byte; that a failed job is told, remembered and tried again.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
kmlab=${KMLAB:?}
samples=$(cd "$(dirname "$0")/../../traces/samples" && pwd)
[ -r "$samples/fork.kmt" ] && [ -r "$samples/tables.kmt" ] || skip_all "no sample capture lies in traces/samples"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
cp "$samples/fork.kmt" "$samples/tables.kmt" .

sweep() { # PART ARGUMENT…: out and err hold what it says
	"$kmlab" sweep "$@" >out 2>err
}

# A value of the JSON document in out.
json() {
	perl -MJSON::PP -e 'local $/; open F, "out"; my $d = decode_json(<F>);
		for my $k (split /\./, shift) { $d = ref $d eq "ARRAY" ? $d->[$k] : exists $d->{$k} ? $d->{$k} : die "absent\n" }
		print ref $d eq "ARRAY" ? scalar @$d : defined $d ? $d : "null"' "$1" 2>&1
}

# Everything in a result file that is not a timing, in an order of its own.
untimed() {
	sqlite3 "$1" "SELECT uuid, model, params, seed, rep, what, name, unit, value FROM (
		SELECT run, 'metric' AS what, name, unit, value FROM metric WHERE timing = 0
		UNION ALL SELECT run, 'path', name, '', count FROM path
		UNION ALL SELECT run, 'series', name || ' ' || time_ns, unit, value FROM series
		UNION ALL SELECT run, 'note', name, '', text FROM note WHERE name NOT IN ('workers'))
		JOIN run ON run.id = run JOIN trace ON trace.id = trace ORDER BY 1, 2, 3, 4, 5, 6, 7"
}

# ---- plan ----
sweep plan fork.kmt tables.kmt --model kernel,slub,bump --reps 2 --tlb zen4 -o plan.tsv -f json
is $? 0 "a plan is made"
is "$(json jobs) $(json groups) $(json combinations)" "10 4 1" "two traces, each with the kernel once and two models twice"
is "$(head -1 plan.tsv)" "#kmlab sweep plan 1" "its first line names the format"
is "$(grep -vc '^#' plan.tsv)" 10 "then there is a job a line"
is "$(cut -f4,7 plan.tsv | sed -n '4,7p' | tr '\t\n' '  ')" "slub 0 bump 0 slub 1 bump 1 " "models take turns in each repetition"
is "$(sed -n 4p plan.tsv | cut -f1,3,5,6,8)" "fork.kmt	$("$kmlab" info fork.kmt -f tsv | sed -n 's/^events_total	//p')	-	1	tlb=zen4" \
	"a line holds trace, events, parameters, seed and settings"
sweep plan tables.kmt -m null -p fallback=0,1 -p 'reclaim=none,oom,30%'
is "$(grep -v '^#' out | cut -f5 | tr '\n' ' ')" "fallback=0,reclaim=none fallback=0,reclaim=oom fallback=0,reclaim=30% fallback=1,reclaim=none fallback=1,reclaim=oom fallback=1,reclaim=30% " \
	"without -o the plan is on stdout; parameters are combined"
is "$(cat err)" "" "and nothing on stderr"

refused() { # wanted-part description part arguments…
	local wanted=$1 what=$2
	shift 2
	sweep "$@"
	is $? 2 "$what: exit 2"
	like err "$wanted" "$what: one sentence says so"
	is "$(cat out)" "" "$what: nothing on stdout"
}
cp tables.kmt same.kmt
seq 1000 >text.kmt
refused "no parameter 'speed'" "an unknown parameter" plan fork.kmt -p speed=1,2
refused "unknown model 'slabby'" "an unknown model" plan fork.kmt -m slabby
refused "named twice" "a model named twice" plan fork.kmt -m slub,slub
refused "'fallback' gets the value '0' twice" "a value twice" plan fork.kmt -p fallback=0,0
refused "'fallback' is given twice" "a parameter twice" plan fork.kmt -p fallback=0 -p fallback=1
refused "takes KEY=VALUE or" "a parameter without values" plan fork.kmt -p fallback=
refused "are the same capture" "a trace twice" plan tables.kmt same.kmt
refused "none.kmt does not exist" "a trace that is not there" plan fork.kmt none.kmt
refused "text.kmt" "what is no trace" plan text.kmt
refused "no TLB 'pentium'" "an unknown TLB" plan fork.kmt --tlb pentium
refused "no trace given" "no trace" plan
refused "text.kmt is there and is no plan" "a file that is no plan" plan fork.kmt -o text.kmt
refused "vary less" "too many jobs" plan fork.kmt --reps 1000 -p "pcp_high_order_slack=0,1" -p "vmap_block_order=$(seq -s, 0 10)" -p "cpu_partial_objects=0,1" -p merge=0,1 -p reclaim=none,oom -m slub,bump,null,buddy,vmalloc,slab,slob,slub@6.1,slub@7.2
refused "a plan is tsv" "a plan in another format" plan fork.kmt -f json
refused "no part 'walk'" "an unknown part" walk
refused "say which part" "no part"
is "$("$kmlab" sweep --help | grep -c SLURM_ARRAY_TASK_ID)" 1 "--help has the script of an array job"

while read -r line; do
	(eval "${line/#kmlab/\"$kmlab\"}") >out 2>err
	is "$? $(cat err)" "0 " "$line"
done < <("$kmlab" sweep plan --help | sed -n 's/^  \(kmlab sweep plan a.kmt.*\)/\1/p' | sed 's/a.kmt/fork.kmt/')
if ! command -v sqlite3 >/dev/null; then
	skip "sweeps" "the sqlite3 shell is not installed; 'make deps' installs it"
	done_testing
	exit
fi
cp fork.kmt lossy.kmt
sqlite3 lossy.kmt "INSERT INTO lost VALUES ('ring_full', 7) ON CONFLICT DO UPDATE SET count = 7"
refused "lossy.kmt lost 7 events" "a trace with losses" plan lossy.kmt
sweep plan lossy.kmt --allow-loss
is "$? $(cut -f8 out | tail -1)" "0 allow-loss" "unless they are allowed, which the plan says"

# ---- run ----
sweep run plan.tsv -o all.kmr -f json
is $? 0 "the plan is run"
is "$(json done) $(json jobs) $(json workers) $(json jobs.9.state)" "10 10 1 done" "all of it, one after the other"
like err "^kmlab: stored in all.kmr: 10; done before: 0; failed: 0$" "which is said"
untimed all.kmr >all
is "$(grep -c '|pages.peak|' all)" 10 "each run has its numbers"
is "$(sqlite3 all.kmr "SELECT group_concat(model || rep, ' ') FROM (SELECT * FROM run ORDER BY id LIMIT 5)")" "kernel0 slub0 bump0 slub1 bump1" "in the order of the plan"
is "$(sqlite3 all.kmr "SELECT count(*) FROM note WHERE name = 'workers' AND text = '1'") $(sqlite3 all.kmr "SELECT count(DISTINCT text) FROM note WHERE name = 'host.name'")" \
	"8 1" "what was timed says beside how many, and on which host"
"$kmlab" replay -q fork.kmt --model slub --reps 2 --tlb zen4 -o replayed.kmr >/dev/null
untimed replayed.kmr | grep -v '|touch\.' >replayed
uuid=$(sed -n 3p plan.tsv | cut -f2)
is "$(grep "^$uuid|slub|" all | grep -v '|touch\.' | cmp - replayed && wc -l <replayed)" "$(wc -l <replayed)" "the numbers are those of 'kmlab replay'"
sweep run plan.tsv -o all.kmr -f json
is "$? $(json done) $(json done_before)" "0 0 10" "what is done is not run again"

# Killed in the middle, without warning; its processes go with it.
"$kmlab" sweep run plan.tsv -o killed.kmr -q >/dev/null 2>&1 &
pid=$!
for _ in $(seq 200); do
	[ "$(sqlite3 -readonly killed.kmr 'SELECT count(*) FROM run' 2>/dev/null || echo 0)" -ge 3 ] && break
	sleep 0.02
done
kill -9 $pid
wait $pid 2>/dev/null
before=$(sqlite3 killed.kmr 'PRAGMA quick_check; SELECT count(*) FROM run' | tr '\n' ' ')
like <(echo "$before") '^ok [3-9] $' "a killed run leaves a whole file with some runs"
sweep run plan.tsv -o killed.kmr -j 2 -f json
is "$? ok $(json done_before) " "0 $before" "it goes on where it was"
untimed killed.kmr | cmp -s - all
ok $? "and ends with the same numbers"
is "$(sqlite3 killed.kmr "SELECT count(*) > 0 FROM note WHERE name = 'workers' AND text = '2'")" 1 "which were measured with a neighbour"

"$kmlab" sweep run plan.tsv -o interrupted.kmr -f json >out 2>err &
pid=$!
for _ in $(seq 200); do
	[ "$(sqlite3 -readonly interrupted.kmr 'SELECT count(*) FROM run' 2>/dev/null || echo 0)" -ge 1 ] && break
	sleep 0.02
done
refused "is being written by another sweep" "two sweeps into one file" run plan.tsv -o interrupted.kmr
kill -INT $pid
wait $pid
is $? 130 "Ctrl-C: exit 130"

# ---- shards ----
for k in 1 2 3; do
	sweep run plan.tsv --shard $k/3 -o part-$k.kmr
	is $? 0 "shard $k of 3"
done
sweep merge part-?.kmr --plan plan.tsv -o merged.kmr -f json
is "$? $(json runs_added) $(json missing) $(json unplanned)" "0 10 0 0" "together they are the plan"
untimed merged.kmr | cmp -s - all
ok $? "with the same numbers"
is "$(json rows) $(json rows.1.trace) $(json rows.1.model) $(json rows.1.runs) $(json rows.1.hosts) $(json rows.1.workers.0)" "6 fork.kmt slub 2 1 1" "a row for each trace and model"
sweep merge part-?.kmr --plan plan.tsv -o merged.kmr -f csv
is "$? $(wc -l <out)" "0 7" "merging again is the same"
like err "^kmlab: added to merged.kmr: 0; there already: 10$" "and adds nothing"
sweep merge part-1.kmr part-3.kmr --plan plan.tsv
is $? 1 "with a shard missing the answer is no"
like err "job 4 is missing \(fork.kmt, slub, -, seed 1, repetition 1\): not run" "and each job is named"
sweep merge all.kmr part-1.kmr
is $? 2 "a job that was timed twice is refused"
like err "have both timed .*--keep-first" "with what to do"
sweep merge all.kmr part-1.kmr --keep-first -f json
is "$? $(json runs_added)" "0 10" "which is to keep the first"
for command in "compare merged.kmr" "plot merged.kmr -o plots" "report merged.kmr -o report"; do
	# shellcheck disable=SC2086
	"$kmlab" $command >out 2>err
	ok $? "kmlab $command"
done
sweep run plan.tsv --shard 4/5 --scatter -o s.kmr -f json
is "$(json jobs) $(json jobs.0.job) $(json jobs.1.job)" "2 4 9" "--scatter deals out single jobs"
sweep run plan.tsv --shard 9/9 -o none.kmr
is $? 0 "a shard may be empty"
like err "4 such groups; --scatter" "and says why"
sed -n '5,6p' plan.tsv | sweep run - -o s.kmr
is "$? $(wc -l <out)" "0 3" "lines of a plan are a plan, also on standard input"
refused "--jobs begins at 11" "jobs beyond the plan" run plan.tsv --jobs 11-12 -o s.kmr
refused "number the array from 1" "a shard numbered from 0" run plan.tsv --shard 0/4 -o s.kmr
refused "K/N with K up to N" "a shard beyond the last" run plan.tsv --shard 5/4 -o s.kmr
refused "give one of them" "two choices of jobs" run plan.tsv --shard 1/4 --jobs 1-2 -o s.kmr
refused "goes with --shard" "--scatter alone" run plan.tsv --scatter -o s.kmr
refused "say with -o" "no output" run plan.tsv
refused "takes 1 to 256" "no workers" run plan.tsv -j 0 -o s.kmr
refused "none.tsv cannot be opened" "no such plan" run none.tsv -o s.kmr
refused "text.kmt, line 1: a job has 8 fields" "what is no plan" run text.kmt -o s.kmr
refused "is not a kmlab result file" "an output that is a trace" run plan.tsv -o fork.kmt
refused "text.kmt is not a readable result file" "merging what is no result" merge all.kmr text.kmt -o new.kmr
[ ! -e new.kmr ]
ok $? "leaves no file behind"

# ---- failures ----
sed "s/fork.kmt/gone.kmt/" plan.tsv >gone.tsv
sweep run gone.tsv -o gone.kmr --jobs 1-6 -f json
is "$? $(json done) $(json failed) $(json jobs.0.state)" "1 1 5 failed" "a trace that is gone is a failure, and the rest is run"
like err "job 1 \(gone.kmt, kernel, -, repetition 0\) failed: gone.kmt does not exist" "it is told"
sweep merge gone.kmr --plan gone.tsv -f json
is "$? $(json failures) $(json missing) $(json missing.0.why)" "1 5 9 $(json failures.0.why)" "and remembered"
cp tables.kmt gone.kmt
sweep run gone.tsv -o gone.kmr --jobs 1-1 -f json
is "$? $(json failed)" "1 1" "another trace of that name is none"
like err "is another trace than when the plan was made" "it is said"
cp fork.kmt gone.kmt
sweep run gone.tsv -o gone.kmr --jobs 1-2 -f json
is "$? $(json done)" "0 2" "what failed is tried again"
sweep merge gone.kmr --plan gone.tsv -f json
is "$(json failures)" 3 "and no failure any more"
sweep run gone.tsv -o gone.kmr --jobs 6-6 --again -f json
is "$? $(json done) $(json done_before)" "0 1 0" "--again runs also what is done"

cat >trap.c <<-'END'
	#include <stddef.h>
	void *malloc(size_t bytes) { (void)bytes; __builtin_trap(); }
	void free(void *p) { (void)p; }
	void *aligned_alloc(size_t align, size_t bytes) { (void)align; return malloc(bytes); }
END
if ${CC:-cc} -w -fno-builtin -shared -fPIC trap.c -o trap.so 2>/dev/null; then
	sweep plan tables.kmt --model malloc:./trap.so,null -o trap.tsv
	is "$? $(cat err)" "0 " "a library is looked for when it is planned"
	sweep run trap.tsv -o trap.kmr -f json
	is "$? $(json done) $(json failed)" "1 1 1" "a job that crashes is a failure, and the next is run"
	like err "its process was ended by signal [0-9]+" "it is told"
else
	skip "a job that crashes" "there is no C compiler; 'make deps' installs one"
fi

done_testing
