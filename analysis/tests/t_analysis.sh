#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The analysis commands of the built program, over a capture that comes with the sources: what
# `info` says, `sql` finds too; a replayed result becomes figures and a page.
set -u
: "${KMLAB:?is the program to test}"
here=$(cd "$(dirname "$0")/../.." && pwd)
sample=$(find "$here/traces/samples" -name '*.kmt' -printf '%s %p\n' 2>/dev/null | sort -n | head -1 | cut -d' ' -f2-)
if [ -z "$sample" ]; then
	echo "1..0 # SKIP no sample capture lies in traces/samples"
	exit 0
fi
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
number=0 failed=0

ok() { # STATUS WHAT
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		failed=$((failed + 1))
		echo "not ok $number - $2"
	fi
}

same() { # GOT WANT WHAT
	[ "$1" = "$2" ]
	ok $? "$3"
	[ "$1" = "$2" ] || echo "# got '$1', want '$2'"
}

# info and sql must not change the sample they read: work on a copy.
cp "$sample" "$scratch/t.kmt" && cd "$scratch" || exit 2
before=$(sha256sum t.kmt)

"$KMLAB" info t.kmt --format json >info.json
ok $? "info"
total=$("$KMLAB" info t.kmt -f tsv | sed -n 's/^events_total\t//p')
same "$("$KMLAB" sql t.kmt 'SELECT count(*) FROM event' -f tsv | tail -1)" "$total" \
	"sql counts the events that info counts"
same "$("$KMLAB" sql t.kmt 'SELECT kind, count(*) FROM event GROUP BY 1 ORDER BY 1' -f tsv |
	tail -n +2)" \
	"$("$KMLAB" info t.kmt -f tsv | sed -n 's/^events\.//p' | grep -v '	0$' | sort)" \
	"and the same number of each kind"
# The document answers for itself: SQLite reads its JSON.
field() { "$KMLAB" sql t.kmt "SELECT json_extract('$(tr -d '\n' <info.json | sed "s/'/''/g")', '\$.$1')" -f tsv | tail -1; }
same "$(field schema)" 1 "info's JSON has its schema"
same "$(($(field recorded) + $(field lost_total) + $(field filtered.null) + \
	$(field filtered.self) + $(field filtered.sampled)))" "$(field fired)" \
	"fired = recorded + lost + filtered"
same "$(sha256sum t.kmt)" "$before" "reading changes nothing"

"$KMLAB" replay t.kmt --model kernel,slub,vmalloc,null -o r.kmr >replay.out
ok $? "replay gives a result file"
same "$("$KMLAB" report r.kmr -o out)" "out/index.html" "report prints where the page is"
grep -q '</html>' out/index.html
ok $? "and the page is whole"
if command -v gnuplot >/dev/null; then
	for name in latency-alloc latency-free footprint internal-fragmentation \
		external-fragmentation sizes lifetimes kmalloc-vmalloc-latency \
		kmalloc-vmalloc-memory; do
		[ -s out/$name.dat ] && [ -s out/$name.gp ] && grep -q '</svg>' out/$name.svg
		ok $? "$name: .dat, .gp and .svg"
	done
	"$KMLAB" plot r.kmr -o figures >plot.out
	ok $? "plot"
	cmp -s figures/footprint.svg out/footprint.svg
	ok $? "draws what the report shows"
fi

"$KMLAB" info absent.kmt >absent.out 2>absent.err
same "$?" 2 "a file that is not there is exit 2"
same "$(wc -l <absent.err) $(wc -c <absent.out)" "1 0" "with one line on stderr, none on stdout"
echo "1..$number"
[ "$failed" -eq 0 ]
