#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The analysis commands of the built program, over a capture that comes with the sources: what
# `info` says, `sql` finds too; a replayed result becomes figures and a page.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
: "${KMLAB:?is the program to test}"
here=$(cd "$(dirname "$0")/../.." && pwd)
sample=$(find "$here/traces/samples" -name '*.kmt' -printf '%s %p\n' 2>/dev/null | sort -n | head -1 | cut -d' ' -f2-)
[ -n "$sample" ] || skip_all "no sample capture lies in traces/samples"
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT

# info and sql must not change the sample they read: work on a copy.
cp "$sample" "$scratch/t.kmt" && cd "$scratch" || exit 2
before=$(sha256sum t.kmt)

"$KMLAB" info t.kmt --format json >info.json
ok $? "info"
total=$("$KMLAB" info t.kmt -f tsv | sed -n 's/^events_total\t//p')
"$KMLAB" sql t.kmt 'SELECT 1' >sql.out 2>sql.err
is "$? $(wc -c <sql.err)" "0 0" "sql exits 0 and says nothing on stderr"
timeout --preserve-status -s INT 0.3 "$KMLAB" sql t.kmt 'SELECT count(*) FROM event a, event b WHERE a.ptr < b.ptr' \
	>sql.out 2>sql.err
is "$?" 130 "sql interrupted: exit 130"
grep -q interrupted sql.err
ok $? "and says so"
is "$("$KMLAB" sql t.kmt 'SELECT count(*) FROM event' -f tsv | tail -1)" "$total" \
	"sql counts the events that info counts"
is "$("$KMLAB" sql t.kmt 'SELECT kind, count(*) FROM event GROUP BY 1 ORDER BY 1' -f tsv |
	tail -n +2)" \
	"$("$KMLAB" info t.kmt -f tsv | sed -n 's/^events\.//p' | grep -v '	0$' | sort)" \
	"and the same number of each kind"
# The document answers for itself: SQLite reads its JSON.
field() { "$KMLAB" sql t.kmt "SELECT json_extract('$(tr -d '\n' <info.json | sed "s/'/''/g")', '\$.$1')" -f tsv | tail -1; }
is "$(field schema)" 1 "info's JSON has its schema"
is "$(($(field recorded) + $(field lost_total) + $(field filtered.null) + \
	$(field filtered.self) + $(field filtered.sampled)))" "$(field fired)" \
	"fired = recorded + lost + filtered"
is "$(sha256sum t.kmt)" "$before" "reading changes nothing"

"$KMLAB" replay t.kmt --model kernel,slub,vmalloc,null --touch=2 --access A2:8:0.5 -o r.kmr >replay.out
ok $? "replay gives a result file"
is "$("$KMLAB" report r.kmr -o out)" "out/index.html" "report prints where the page is"
grep -q '</html>' out/index.html
ok $? "and the page is whole"
if command -v gnuplot >/dev/null; then
	for name in latency-alloc latency-free footprint internal-fragmentation \
		external-fragmentation sizes lifetimes kmalloc-vmalloc-latency \
		kmalloc-vmalloc-memory tlb-misses tlb-classes tlb-working-set tlb-miss-ratio tlb-reuse touch touch-classes; do
		[ -s out/$name.dat ] && [ -s out/$name.gp ] && grep -q '</svg>' out/$name.svg
		ok $? "$name: .dat, .gp and .svg"
	done
	grep -q "^stamp = 'TLB model · " out/tlb-misses.gp && grep -q 'access A0' out/tlb-misses.svg
	ok $? "a TLB figure says which TLB and which access model"
	grep -q "^stamp = 'timed on the machine of the replay · .*interval · access A2:8:0.5 · .* in 2 MiB" out/touch.gp
	ok $? "timed touches say theirs, and which pages the host gave"
	is "$(grep -l "^stamp = ''" out/*.gp)" '' "every figure says where its numbers come from"
	! grep -q 'seed' out/sizes.svg && ! grep -q 'seed' out/lifetimes.svg && grep -q 'seed 1' out/footprint.svg
	ok $? "and how models were run only where they were"
	grep -q '"\\nn = [0-9]' out/kmalloc-vmalloc-latency.gp
	ok $? "calls of each size class are counted"
	is "$(sed -n '/^# .*: vmalloc$/,/^$/p' out/tlb-reuse.dat | awk '/^[0-9]/ {print $1}' | paste -sd,)" 0,2,8,32 "the band over λ is the one asked for"
	"$KMLAB" plot r.kmr -o figures >plot.out
	ok $? "plot"
	"$KMLAB" replay t.kmt --model slub,slab,slob -o many.kmr >many.out && "$KMLAB" plot many.kmr -o many >plot.out
	[ "$(sed -n 's/.*viewBox="0 0 900 \([0-9]*\)".*/\1/p' many/tlb-misses.svg | head -1)" = 330 ]
	ok $? "nine bars in a panel lie down, a line each"
	cmp -s figures/footprint.svg out/footprint.svg
	ok $? "draws what the report shows"
fi

# Size classes: what is wasted now is what the events say; a class added saves what it says.
"$KMLAB" tune t.kmt --add 2 -f tsv >tune.tsv 2>tune.err
ok $? "tune"
is "$(cut -f1 tune.tsv | paste -sd,)" "plan,now,add 1,add 2,anew" "has its plans"
is "$(awk -F'\t' '$1 == "now" {print $6}' tune.tsv)" "$("$KMLAB" sql t.kmt "SELECT sum(bytes_alloc - bytes_req) FROM event
	WHERE kind = 'kmalloc' AND bytes_req > 0 AND bytes_alloc <= 8192 AND ptr != 0" -f tsv | tail -1)" "and the waste that the events tell"
awk -F'\t' 'NR > 1 && $1 ~ /add/ && !($4 > last) {bad = 1} {last = $4} END {exit bad}' tune.tsv
ok $? "each class added saves more"
like tune.err 'coverage: 0 events lost' 'with its coverage'
"$KMLAB" tune t.kmt --add 0 >tune.out 2>tune.err
is $? 2 "none to add is no plan"

# Every command explains itself.
for command in $("$KMLAB" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
	"$KMLAB" help "$command" >help.out 2>help.err
	[ $? = 0 ] || grep -q 'is not built' help.err
	ok $? "kmlab help $command"
	[ ! -s help.out ] || grep -q "^Usage: kmlab $command" help.out && ! awk 'length > 80 {bad = 1} END {exit !bad}' help.out
	ok $? "says how it is used, in 80 columns"
	[ ! -s help.out ] || grep -q '^EXAMPLES$' help.out
	ok $? "with examples"
done
"$KMLAB" help nothing >help.out 2>help.err
is "$? $(cat help.err)" "2 kmlab: there is no command 'nothing'; 'kmlab --help' lists them" "no help for what is not there"

"$KMLAB" info absent.kmt >absent.out 2>absent.err
is "$?" 2 "a file that is not there is exit 2"
is "$(wc -l <absent.err) $(wc -c <absent.out)" "1 0" "with one line on stderr, none on stdout"
done_testing
