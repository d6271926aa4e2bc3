#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kmlab tlb: show of a kept calibration in each format, compare by size and site, and what a person sees when something is wrong.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
kmlab=${KMLAB:?}
cd "$(dirname "$0")/../.." || exit 1
sample=traces/samples/fork.kmt
[ -r "$sample" ] || skip_all "no sample capture lies in traces/samples"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
export XDG_DATA_HOME=$dir/data
mkdir -p "$XDG_DATA_HOME/kmlab"

refused() { # wanted-part description command…
	local part=$1 what=$2
	shift 2
	"$@" >"$dir/out" 2>"$dir/err"
	is "$? $(wc -c <"$dir/out")" "2 0" "$what: exit 2, nothing on stdout"
	like "$dir/err" "$part" "$what: one sentence says so"
}
refused "no calibration in $XDG_DATA_HOME/kmlab/tlb" "show without a calibration" "$kmlab" tlb show
refused "calibrate, show or compare" "no action" "$kmlab" tlb
refused "no action 'guess'" "an unknown action" "$kmlab" tlb guess
refused "one word too many" "two actions" "$kmlab" tlb show calibrate
refused "needs a trace" "compare without a trace" "$kmlab" tlb compare
refused "$dir/none.kmt" "compare of a missing trace" "$kmlab" tlb compare "$dir/none.kmt"
refused "no TLB 'pentium'" "an unknown TLB" "$kmlab" tlb compare "$sample" --tlb pentium
refused "size or site, not 'cpu'" "an unknown row" "$kmlab" tlb compare "$sample" --by cpu
refused "timed or pmu, not 'guess'" "an unknown source" "$kmlab" tlb calibrate --source guess
refused "takes 3 to 10000" "too few rounds" "$kmlab" tlb calibrate --rounds 1

cat >"$XDG_DATA_HOME/kmlab/tlb" <<END
kmlab-tlb 1
brand A CPU
cycle-ns 0.25
l1 64 4 lru
l2 1536 12 random
calibrated 1
verdict calibrated: held-out error at most 3.0 % in user space
fit user 2 20 0 4096 0.01 0.03 0.05 9 9
point user 64 9 1.5 1.4 1.6 1.5 0
point user 4096 9 20.5 20 21 20 1
cache 768 12 lru
loads 4K dependent 2.3 2.2 2.4 15 14 16 7 6 8
loads 4K overlapped 0.1 0 0.2 8 7 9 1.5 1 2
pmu available; what they counted is kept
counted user 64 0.001 0.0005 nan 0.002 0 0
counted user 4096 0.98 0.61 31.5 0.984 0.624 1
END
"$kmlab" tlb show >"$dir/out"
is $? 0 "show of a calibration: exit 0"
like "$dir/out" '64 entries, 4 ways, lru' "with the geometry"
"$kmlab" tlb show -f json >"$dir/out"
is "$(perl -MJSON::PP -e 'local $/; my $d = decode_json(<>); print join ",", $d->{schema}, $d->{calibrated}, $d->{l2}{entries}, $d->{fits}[0]{held_out_error}, scalar @{$d->{points}}' "$dir/out")" \
	"1,1,1536,0.03,2" "as JSON"
is "$(perl -MJSON::PP -e 'local $/; my $d = decode_json(<>); print join ",", map {$_->{walks_per_load}, $_->{walk_cycles_per_load} // "null", $_->{model_walks_per_load}, $_->{multiplexed} ? "multiplexed" : "whole"} @{$d->{counted}}' "$dir/out")" \
	"0.0005,null,0,whole,0.61,31.5,0.624,multiplexed" "with what was counted, null where the CPU has no such event"
is "$(perl -MJSON::PP -e 'local $/; my $d = decode_json(<>); print join ",", map {$_->{pages}, $_->{loads}, $_->{l2_hit_ns}{median}, $_->{walk_ns}{high}, $_->{far_line_ns}{low}} @{$d->{loads}}' "$dir/out")" \
	"4K,dependent,2.3,16,6,4K,overlapped,0.1,9,1" "with what streams of loads pay, and its interval"
"$kmlab" tlb show >"$dir/out"
like "$dir/out" '4K +overlapped: independent of one another +0.10 \[0.00, 0.20\] +8.00 \[7.00, 9.00\]' "also as a table"
like "$dir/out" 'user space, 4 KiB pages +4096 +0.980 +0.984 +0.610 +0.624 +31.500 +yes, scaled' "and as a table, beside the model"
is "$("$kmlab" tlb show -f csv | wc -l)" 3 "as csv: a header and a row per point"
sed -i 's/^calibrated 1/calibrated 0/' "$XDG_DATA_HOME/kmlab/tlb"
"$kmlab" tlb show >"$dir/out"
is $? 1 "show of what is not calibrated: exit 1"

refused "no access model 'A3'" "an unknown access model" "$kmlab" tlb compare "$sample" --access A3
refused "out of range" "a skew beyond what is known" "$kmlab" tlb compare "$sample" --access A2:4:9
refused "no page size of a direct map" "an unknown page size" "$kmlab" tlb compare "$sample" --direct-map 2M,3M
refused "with 'no_such_function' in its name" "a site that is not there" "$kmlab" tlb compare "$sample" --site no_such_function --rounds 0
refused "takes 0 to 256" "too many rounds" "$kmlab" tlb compare "$sample" --rounds 257

# Counters: counted where there are some; elsewhere the calibration says so, and what to do.
"$kmlab" tlb calibrate --source pmu --rounds 3 -q -o "$dir/counted" -f json >"$dir/out" 2>"$dir/err"
status=$?
if [ "$(perl -MJSON::PP -e 'local $/; my $d = decode_json(<>); print scalar @{$d->{counted}}' "$dir/out")" -gt 0 ]; then
	is "$(perl -MJSON::PP -e 'local $/; my $d = decode_json(<>); my ($few, $many) = map {my $n = $_; grep {$_->{place} eq "user" && $_->{pages} == $n} @{$d->{counted}}} 16, 32768; print $few->{l1_misses_per_load} < 0.1, $many->{l1_misses_per_load} > 0.5' "$dir/out")" 11 \
		"--source pmu: 16 pages hardly miss, 32 768 mostly do"
else
	is $status 1 "--source pmu without counters: exit 1"
	like "$dir/err" 'nothing was counted: .*(PMU|perf_event_paranoid|libperf|counters)' "which a sentence says"
	like "$dir/counted" '^pmu unavailable: .{20}' "the calibration records it as unavailable, with the remedy"
	is "$(grep -c ^counted "$dir/counted")" 0 "and no count"
fi

# Rows by the titles of their columns.
column() { awk -F'\t' -v what="$2" -v placement="$3" -v title="$4" '
	NR == 1 {for (i = 1; i <= NF; i++) if ($i == title) column = i}
	$1 == what && $2 == placement {print $column}' "$1"; }
"$kmlab" tlb compare "$sample" --tlb zen4 --rounds 0 --direct-map 1G,2M,4K,split:30% -f tsv >"$dir/sizes"
is $? 0 "compare by size"
is "$(awk -F'\t' '$1 == "all" {print $2}' "$dir/sizes" | paste -sd,)" \
	"kmalloc, 1G direct map,kmalloc, 2M direct map,kmalloc, 4K direct map,kmalloc, 2M direct map, 30 % split,vmalloc,vmalloc_huge,kvmalloc:16384" \
	"seven placements in all"
is "$(column "$dir/sizes" all "kmalloc, 1G direct map" "L2 miss/kref" | cut -c1)$(awk -v a="$(column "$dir/sizes" all "kmalloc, 1G direct map" "L2 miss/kref")" \
	-v b="$(column "$dir/sizes" all vmalloc "L2 miss/kref")" 'BEGIN {print (a < b)}')" 01 \
	"vmalloc misses more than kmalloc in a direct map of 1 GiB pages"
is "$(awk -v a="$(column "$dir/sizes" all "kmalloc, 2M direct map" "pages/1000 ops")" -v b="$(column "$dir/sizes" all "kmalloc, 2M direct map, 30 % split" "pages/1000 ops")" \
	-v c="$(column "$dir/sizes" all "kmalloc, 4K direct map" "pages/1000 ops")" 'BEGIN {print (a < b && b < c)}')" 1 \
	"a split direct map has a working set between those of 2 MiB and 4 KiB pages"
is "$(column "$dir/sizes" all vmalloc "page tables B")" "$(column "$dir/sizes" all vmalloc_huge "page tables B")" \
	"no object here is as large as 2 MiB: vmalloc_huge is vmalloc"
is "$(column "$dir/sizes" all vmalloc "touch ns")" - "what was not timed has no number"
is "$(awk -F'\t' 'NR > 1 && $1 != "all" {n[$2] += $3} $1 == "all" {if (n[$2] != $3) print $2}' "$dir/sizes")" "" "the classes add up"
is "$(column "$dir/sizes" all vmalloc overlapped)" - "what overlapping hides is not known of a core of the table"
awk -F'\t' -v OFS=, 'NR == 1 || $1 == "all" {print $2, $3, $4, $5, $6, $7, $8, $10, $11, $12}' "$dir/sizes" >"$dir/golden"
is "$(diff "$dir/golden" results/golden/tlb-compare-fork.csv)" "" "the numbers are those kept in results/golden"
"$kmlab" tlb compare "$sample" --tlb zen4 --rounds 0 --by site --top 3 -f tsv >"$dir/sites"
is "$? $(wc -l <"$dir/sites")" "0 7" "compare by site: a header and two rows for each of three"
is "$(awk -F'\t' 'NR > 1 {waste[$1, $2] = $5; misses[$1, $2] = $7; sites[$1]}
	END {for (s in sites) if (waste[s, "vmalloc"] < waste[s, "kmalloc"] || misses[s, "vmalloc"] < misses[s, "kmalloc"]) print s}' "$dir/sites")" "" \
	"vmalloc rounds up more and misses no less, site by site"

# Objects of 2 MiB and more: fewer walks and page tables in large pages, more waste.
tables=traces/samples/tables.kmt
if [ -r "$tables" ]; then
	"$kmlab" tlb compare "$tables" --tlb zen4 --rounds 0 --direct-map 2M -f tsv >"$dir/tables"
	is "$? $(awk -v walk="$(column "$dir/tables" gt16k vmalloc "walk cycles/object")" -v huge_walk="$(column "$dir/tables" gt16k vmalloc_huge "walk cycles/object")" \
		-v waste="$(column "$dir/tables" gt16k vmalloc "waste %")" -v huge_waste="$(column "$dir/tables" gt16k vmalloc_huge "waste %")" \
		-v tables="$(column "$dir/tables" all vmalloc "page tables B")" -v huge_tables="$(column "$dir/tables" all vmalloc_huge "page tables B")" \
		'BEGIN {print (huge_walk < walk), (huge_waste > waste), (huge_tables < tables)}')" "0 1 1 1" \
		"tables of megabytes: vmalloc_huge walks less, has fewer page tables and wastes more than vmalloc"
fi

if command -v sqlite3 >/dev/null; then
	cp "$sample" "$dir/lossy.kmt"
	sqlite3 "$dir/lossy.kmt" "INSERT INTO lost VALUES ('ring_full', 5) ON CONFLICT DO UPDATE SET count = 5"
	refused "lost 5 events, .*give --allow-loss" "compare of a trace with losses" "$kmlab" tlb compare "$dir/lossy.kmt" --tlb zen4 --rounds 0
	"$kmlab" tlb compare "$dir/lossy.kmt" --tlb zen4 --rounds 0 --allow-loss -f json >"$dir/out" 2>"$dir/err"
	is $? 0 "--allow-loss goes on"
	like "$dir/err" "lost 5 events" "says what is missing"
	is "$(perl -MJSON::PP -e 'local $/; print decode_json(<>)->{coverage} < 1' "$dir/out")" 1 "and the document the coverage"
else
	skip "compare of a trace with losses" "the sqlite3 shell is not installed"
fi
name=$(sed -n '2s/[+\t ].*//p' "$dir/sites")
"$kmlab" tlb compare "$sample" --tlb zen4 --rounds 0 --site "$name" -f tsv >"$dir/named"
is "$(awk -F'\t' -v name="$name" 'NR > 1 && index($1, name) == 0' "$dir/named")" "" "--site $name: only call sites of that name"
like "$dir/named" "$name" "which are there"

"$kmlab" tlb compare "$sample" --rounds 2 -f json >"$dir/out" 2>"$dir/err"
is $? 0 "compare with touches and calls timed"
is "$(perl -MJSON::PP -e 'local $/; my $d = decode_json(<>); my ($direct, $mapped) = map {my $p = $_; grep {$_->{size} eq "all" && $_->{placement} eq $p} @{$d->{rows}}} "kmalloc, 2M direct map", "vmalloc";
	my $ordered = 1; for my $row ($direct, $mapped) {for (qw(call_ns touch_ns translation_ns)) {my $v = $row->{$_}; $ordered &&= $v->{low} <= $v->{median} && $v->{median} <= $v->{high}}}
	my ($giant) = grep {$_->{direct_map} eq "1G"} @{$d->{touch_memory}};
	my ($row) = grep {$_->{size} eq "all" && $_->{placement} =~ /1G/} @{$d->{rows}};
	print join ",", $d->{schema}, $ordered, $giant->{available} ? defined $row->{touch_ns} : !defined $row->{touch_ns} && $giant->{what} =~ /hugepagesz=1G/' "$dir/out")" \
	"1,1,1" "in intervals; memory of 1 GiB pages is timed where there is some, else the remedy is told"
done_testing
