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
END
"$kmlab" tlb show >"$dir/out"
is $? 0 "show of a calibration: exit 0"
like "$dir/out" '64 entries, 4 ways, lru' "with the geometry"
"$kmlab" tlb show -f json >"$dir/out"
is "$(perl -MJSON::PP -e 'local $/; my $d = decode_json(<>); print join ",", $d->{schema}, $d->{calibrated}, $d->{l2}{entries}, $d->{fits}[0]{held_out_error}, scalar @{$d->{points}}' "$dir/out")" \
	"1,1,1536,0.03,2" "as JSON"
is "$("$kmlab" tlb show -f csv | wc -l)" 3 "as csv: a header and a row per point"
sed -i 's/^calibrated 1/calibrated 0/' "$XDG_DATA_HOME/kmlab/tlb"
"$kmlab" tlb show >"$dir/out"
is $? 1 "show of what is not calibrated: exit 1"

"$kmlab" tlb compare "$sample" --tlb zen4 -f tsv >"$dir/sizes"
is $? 0 "compare by size"
is "$(grep -c '^all' "$dir/sizes")" 5 "five placements in all"
is "$(awk -F'\t' '$1 == "all" && $2 ~ /1G/ {a = $6} $1 == "all" && $2 == "vmalloc" {b = $6} END {print a < b}' "$dir/sizes")" 1 \
	"vmalloc misses more than kmalloc in a direct map of 1 GiB pages"
is "$(awk -F'\t' 'NR > 1 && $1 != "all" {n[$2] += $3} $1 == "all" {if (n[$2] != $3) print $2}' "$dir/sizes")" "" "the classes add up"
"$kmlab" tlb compare "$sample" --tlb zen4 --by site --top 3 -f tsv >"$dir/sites"
is "$? $(wc -l <"$dir/sites")" "0 4" "compare by site: a header and three rows"
is "$(awk -F'\t' 'NR > 1 && !($5 >= $4 && $9 >= $8)' "$dir/sites")" "" "vmalloc rounds up more and misses no less, site by site"
done_testing
