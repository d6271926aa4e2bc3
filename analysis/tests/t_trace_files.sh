#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# import, edit, merge and export of the built program: traces go in and out, the ledger stays whole, and what cannot be
# is refused in a sentence that leaves everything as it was.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
: "${KMLAB:?is the program to test}"
here=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
cp "$here/traces/samples/fork.kmt" "$scratch/t.kmt" && cd "$scratch" || exit 2

field() { "$KMLAB" info "$1" -f tsv | sed -n "s/^$2	//p"; }
count() { "$KMLAB" sql "$1" 'SELECT count(*), sum(ptr), sum(time_ns) FROM event' -f tsv | tail -1; }
# One sentence on stderr, nothing on stdout, exit 2.
refused() { # PATTERN DESC COMMAND…
	pattern=$1 desc=$2
	shift 2
	"$@" >out 2>err
	is "$? $(wc -c <out)" "2 0" "$desc: refused" && like err "$pattern" "and says why"
}

# ---- import ----
cat >old.txt <<-'END'
	# tracer: nop
	#
	# entries-in-buffer/entries-written: 3/5   #P:2
	            bash-21281   [000] d..1. 12000.107762: kmalloc: call_site=f+0x10d/0x490 ptr=ffff888163948100 bytes_req=60 bytes_alloc=64 gfp_flags=GFP_KERNEL node=-1
	            bash-21281   [001] ..... 12000.107762: kfree: call_site=g+0x1/0x2 ptr=ffff888163948100
	            bash-21281   [001] ..... 12000.107763: sched_switch: prev_comm=bash
END
"$KMLAB" import ftrace old.txt --kernel 6.1 -o i.kmt --format json >out 2>err
is "$?" 0 "import ftrace"
like out '"lost": 2' "what was overwritten is lost"
like err '1 events are none of kmem.*sched_switch' "an event that is none of ours is told"
is "$(field i.kmt recorded) $(field i.kmt lost_total) $(field i.kmt fired)" "2 2 4" "and the ledger has it"
"$KMLAB" check i.kmt >out 2>err
like out 'finished, 2 events intact' "what was made is sound"
before=$(sha256sum i.kmt)
refused 'old.txt does not say which kernel' "no kernel" "$KMLAB" import ftrace old.txt -o i.kmt
sed 's/ffff8881/00000000/' old.txt >hashed.txt
refused 'line 4: its addresses are hashed.*hash-ptr' "hashed addresses" "$KMLAB" import ftrace hashed.txt -k 6.1 -o i.kmt
printf 'junk\n' >junk.txt
refused 'junk.txt: line 1: ' "junk" "$KMLAB" import perf junk.txt -k 6.1 -o i.kmt
refused 'cannot be imported; perf, ftrace and llfree' "another format" "$KMLAB" import lttng junk.txt -o i.kmt
refused 'No such file' "no file" "$KMLAB" import perf none.txt -o i.kmt
is "$(sha256sum i.kmt)" "$before" "a refused import leaves the trace that was there"
is "$(ls ./*.old* ./*-wal ./*-journal 2>/dev/null)" "" "and nothing beside it"

# Ctrl-C: what was there comes back. The pipe makes sure that the import is still at it.
mkfifo pipe
"$KMLAB" import ftrace pipe -k 6.1 -o i.kmt >out 2>err &
exec 3>pipe
cat old.txt >&3
kill -INT $!
for _ in $(seq 2000); do tail -1 old.txt; done >&3 2>/dev/null
exec 3>&-
wait $!
is "$?" 130 "an interrupted import"
is "$(sha256sum i.kmt)" "$before" "leaves the trace that was there"
# shellcheck disable=SC2002 # a pipe is what is tested
cat old.txt | "$KMLAB" import ftrace /dev/stdin -k 6.1 -o pipe.kmt >out 2>err
is "$? $(field pipe.kmt recorded)" "0 2" "import from a pipe"

if command -v perf >/dev/null && perf record -q -a -o p.data -e kmem:kmalloc,kmem:kfree -- sleep 0.1 >/dev/null 2>&1; then
	"$KMLAB" import perf p.data -o p.kmt >out 2>err
	is "$?" 0 "import perf.data"
	is "$(field p.kmt kernel)" "$(uname -r)" "it says its kernel itself"
	"$KMLAB" check p.kmt >out 2>/dev/null
	like out 'events intact' "what was made is sound"
else
	skip "import perf.data" "perf is not installed, or may not record"
fi
head -c 100 /dev/zero >zero && (printf 'PERFILE2' && cat zero) >bad.data
refused 'perf' "a perf.data file that is none" "$KMLAB" import perf bad.data -o i.kmt

# ---- edit, merge ----
whole=$(count t.kmt)
"$KMLAB" edit t.kmt --time ,0.1 -o a.kmt >out && "$KMLAB" edit t.kmt --time 0.1, -o b.kmt >out
ok $? "edit --time"
is "$(field a.kmt fired)" "$(field t.kmt fired)" "as much fired in a part as in the whole"
"$KMLAB" merge b.kmt a.kmt -o ab.kmt >out
is "$? $(count ab.kmt)" "0 $whole" "merge: the parts are the whole again"
is "$(field ab.kmt filtered.excluded) $(field ab.kmt lost_total)" "0 $(field t.kmt lost_total)" "with its ledger"
refused 'hold the same event' "a part twice" "$KMLAB" merge a.kmt a.kmt -o x.kmt
refused 't.kmt is what is read' "itself as output" "$KMLAB" edit t.kmt --time 0,1 -o t.kmt
refused "has no cache 'nosuch'" "an unknown cache" "$KMLAB" edit t.kmt --cache nosuch -o x.kmt
refused 'is no good key' "a short key" "$KMLAB" edit t.kmt --anonymise zero --anonymise out -o x.kmt
"$KMLAB" edit t.kmt --sample 1/8 -o s.kmt --format json >out
is "$?" 0 "edit --sample"
is "$(field s.kmt filtered.sampled)" "$(($(field t.kmt recorded) - $(field s.kmt recorded)))" "what was not sampled is counted"
"$KMLAB" edit t.kmt --cpu 1 --cache filp -o c.kmt >out
is "$?" 0 "edit --cpu --cache"
is "$("$KMLAB" sql c.kmt "SELECT DISTINCT cpu, cache FROM event" -f tsv | tail -n +2)" "1	filp" "holds that alone"
"$KMLAB" edit t.kmt --anonymise random -o r.kmt >out
is "$?" 0 "edit --anonymise"
is "$(field r.kmt command)" "" "the command line is gone"
is "$(field r.kmt repair.matched_frees)" "$(field ab.kmt repair.matched_frees)" "every free still finds its object"
refused 'unrecognized option' "an unknown option" "$KMLAB" edit t.kmt --nosuch -o x.kmt
is "$(ls x.kmt* 2>/dev/null)" "" "nothing is left of what was refused"

# ---- export ----
"$KMLAB" export t.kmt --rows t.csv --perfetto t.json --time 0.1,0.101 --format json >out
is "$?" 0 "export"
is "$(($(wc -l <t.csv) - 1))" "$(grep -c '"ph": "i"' t.json)" "as many rows as instants"
refused 'ends with .db or .csv' "another name" "$KMLAB" export t.kmt --rows t.txt
refused 'cannot write' "a place that is none" "$KMLAB" export t.kmt --rows none/t.db
is "$(ls ./*.part 2>/dev/null)" "" "and no part is left"
done_testing
