#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kmlab replay, fidelity and models on a bundled sample: the keys scripts rely on, a second run equal but for timings, what
# a person sees when something is wrong, and that an interrupt saves.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
kmlab=${KMLAB:?}
cd "$(dirname "$0")/../.." || exit 1
sample=traces/samples/fork.kmt
[ -r "$sample" ] || skip_all "no sample capture lies in traces/samples"
dir=$(mktemp -d) || exit 1
trap 'umount "$dir/full" 2>/dev/null; rm -rf "$dir"' EXIT
cp "$sample" "$dir/t.kmt"

# One expression of SQLite's JSON functions over a file.
json() { # file path
	perl -MJSON::PP -e 'local $/; open F, shift; my $d = decode_json(<F>);
		for my $k (split /\./, shift) { $d = ref $d eq "ARRAY" ? $d->[$k] : exists $d->{$k} ? $d->{$k} : die "absent\n" }
		print defined $d ? (ref $d ? "ref" : $d) : "null"' "$1" "$2" 2>&1
}

models=kernel,slub,slub@6.1,slub@7.2,buddy,vmalloc,kvmalloc:4096,bump,null
"$kmlab" replay "$dir/t.kmt" --model $models -o "$dir/a.kmr" --format json >"$dir/a.json" 2>"$dir/a.err"
is $? 0 "replay of nine models exits 0"
is "$(cat "$dir/a.err")" "" "and says nothing on stderr"
i=0
for model in ${models//,/ }; do
	is "$(json "$dir/a.json" "runs.$i.model")" "$model" "run $i is $model"
	missing=
	for key in params seed rep ops wall_ns ops_per_s pages.peak pages.mean pages.end \
		latency_ns.alloc.{p50,p90,p99,p999,max} latency_ns.free.{p50,p90,p99,p999,max} paths \
		fragmentation.{internal_event,internal_time,slab_utilisation,unusable_order9,unmovable_2m_share} \
		tlb.{source,l1_miss_per_kref,l2_miss_per_kref,walk_cycles_per_kref,calibrated} coverage; do
		case $(json "$dir/a.json" "runs.$i.$key") in absent*) missing="$missing $key" ;; esac
	done
	is "$missing" "" "$model: every key is there"
	i=$((i + 1))
done
is "$(json "$dir/a.json" schema)" 1 "the document says its schema"
is "$(json "$dir/a.json" runs.0.latency_ns.alloc.p50)" null "what was not measured is null, not 0"
is "$(json "$dir/a.json" runs.8.pages.peak)" null "null holds no pages, which is not 0 pages"

is "$(json "$dir/a.json" runs.1.tlb.source)" model "TLB numbers come from the model"
is "$(json "$dir/a.json" runs.1.tlb.access),$(json "$dir/a.json" runs.1.tlb.direct_map)" "A0,1G" "with their access model and direct map"
is "$(json "$dir/a.json" runs.0.tlb.source)" unavailable "of the kernel's own accesses nothing is known"
is "$(json "$dir/a.json" runs.8.tlb.l2_miss_per_kref)" null "null touches nothing, which is not 0 misses"
"$kmlab" replay "$dir/t.kmt" --model slub --tlb zen4 --access A2:4 --direct-map 4K -o "$dir/tlb.kmr" -f json >"$dir/tlb.json"
is "$(json "$dir/tlb.json" runs.0.tlb.access),$(json "$dir/tlb.json" runs.0.tlb.direct_map)" "A2:4,4K" "both can be chosen"
is "$(json "$dir/tlb.json" runs.0.touch)" null "nobody asked for timed touches"
"$kmlab" replay "$dir/t.kmt" --model kernel,slub,vmalloc_huge,null --tlb zen4 --access A2:20:0.5 --direct-map split:50% --touch=2 -o "$dir/touch.kmr" -f json >"$dir/touch.json"
is "$? $(json "$dir/touch.json" runs.1.tlb.access),$(json "$dir/touch.json" runs.1.tlb.direct_map)" "0 A2:20:0.5,split" "touches, their skew, and a split direct map, too"
is "$(perl -MJSON::PP -e 'local $/; my $d = decode_json(<>); print join " ", map {$_->{access}} grep {$_->{direct_map} eq "split"} @{$d->{runs}[1]{tlb}{lanes}}' "$dir/touch.json")" \
	"A0 A1 A2:5:0.5 A2:20:0.5 A2:80:0.5" "with a quarter and four times as many beside it"
is "$(perl -MJSON::PP -e 'local $/; my $d = decode_json(<>); print join " ", map {my $t = $_->{touch}; $t ? join(",", map {$_->{direct_map}} grep {$_->{ns}{low} > 0} @{$t->{maps}}) : "none"} @{$d->{runs}}' "$dir/touch.json" | sed 's/1G,//')" \
	"none 2M,4K,split 2M none" "timed touches of what places objects in memory"
is "$(grep -c "\"calibrated\": *false" "$dir/tlb.json")" 1 "a core of the table is not calibrated"
"$kmlab" replay "$dir/t.kmt" --model slub --source pmu -o "$dir/tlb.kmr" -f json >"$dir/tlb.json"
case $(json "$dir/tlb.json" runs.0.tlb.source) in
pmu) ok 0 "the counters count" ;;
*) is "$(json "$dir/tlb.json" runs.0.tlb.source),$(json "$dir/tlb.json" runs.0.tlb.l1_miss_per_kref)" "unavailable,null" \
	"counters that are not there are unavailable, not 0" ;;
esac

untimed() {
	grep -vE '"(wall_ns|ops_per_s|p50|p90|p99|p999|max|timer_cost)":' "$1"
}
"$kmlab" replay "$dir/t.kmt" --model $models -o "$dir/b.kmr" --format json >"$dir/b.json" 2>&1
cmp -s <(untimed "$dir/a.json") <(untimed "$dir/b.json")
ok $? "a second run is equal but for the timings"
"$kmlab" replay "$dir/t.kmt" --model slub --seed 2 -o "$dir/c.kmr" --format json >"$dir/c.json"
is "$(json "$dir/c.json" runs.0.seed)" 2 "a seed is kept"
"$kmlab" replay "$dir/t.kmt" --model slub -p fallback=0 -p merge=0 --reps 2 -o "$dir/d.kmr" --format json >"$dir/d.json"
is "$(json "$dir/d.json" runs.1.params.fallback)" 0 "parameters are kept, with each repetition"
"$kmlab" replay "$dir/t.kmt" -m null -p merge=0 -p merge=1 -o "$dir/g.kmr" -f json >"$dir/g.json"
is "$(json "$dir/g.json" runs.0.params.merge)" 1 "a parameter given twice has its last value"
"$kmlab" models -f tsv | sed -n 's/^parameter\t\([^\t]*\)\t.*/\1/p' >"$dir/names"
params=()
while read -r name; do
	params+=(-p "$name=1" -p "$name=0")
done <"$dir/names"
"$kmlab" replay "$dir/t.kmt" -m null "${params[@]}" -o "$dir/g.kmr" -f json >"$dir/g.json"
is $? 0 "every parameter may be given, and given again"
is "$(json "$dir/g.json" "runs.0.params.$(tail -1 "$dir/names")")" 0 "and the last of them is kept"
is "$("$kmlab" replay "$dir/t.kmt" --model slub,null -o "$dir/e.kmr" --format csv | wc -l)" 3 "csv: a header and a row per model"

"$kmlab" fidelity "$dir/t.kmt" --format json >"$dir/f.json"
is $? 0 "fidelity exits 0"
is "$(json "$dir/f.json" bytes_alloc.checked)" "$(json "$dir/f.json" bytes_alloc.matched)" "every bytes_alloc is as Linux says"
[ "$(json "$dir/f.json" bytes_alloc.checked)" -gt 0 ]
ok $? "and there were some"
for key in geometry.checked slab_choice.checked slab_choice.matched caches.0.name caches.0.slabs.model caches.0.partial.kernel pages.model; do
	case $(json "$dir/f.json" "$key") in absent*) ok 1 "fidelity has $key" ;; *) ok 0 "fidelity has $key" ;; esac
done
"$kmlab" models --format json >"$dir/m.json"
is "$(json "$dir/m.json" models.0.name)" kernel "models lists the kernel first"
is "$("$kmlab" models -f tsv | sed -n 's/^parameter\tgfp_atomic_bit\t[^\t]*\t//p')" "1	1	0	0	0	0" "and how each profile has a switch"
like "$dir/m.json" '"5.15": 1' 'in JSON, too'

refused() { # wanted-part description command…
	local part=$1 what=$2
	shift 2
	"$@" >"$dir/out" 2>"$dir/err"
	is $? 2 "$what: exit 2"
	like "$dir/err" "$part" "$what: one sentence says so"
	is "$(cat "$dir/out")" "" "$what: nothing on stdout"
}
refused "named twice" "a model named twice" "$kmlab" replay "$dir/t.kmt" --model slub,null,slub -o "$dir/x.kmr"
refused "unknown model 'slabby'" "an unknown model" "$kmlab" replay "$dir/t.kmt" --model slub,slabby -o "$dir/x.kmr"
refused "profile '9.9'" "an unknown profile" "$kmlab" replay "$dir/t.kmt" --model slub@9.9 -o "$dir/x.kmr"
refused "no parameter 'nonsense'" "an unknown parameter" "$kmlab" replay "$dir/t.kmt" -p nonsense=1 -o "$dir/x.kmr"
refused "no parameter '$(printf 'x%.0s' {1..99})'" "a long unknown parameter" "$kmlab" replay "$dir/t.kmt" -p "$(printf 'x%.0s' {1..99})=1" -o "$dir/x.kmr"
refused "takes a number, not '-1'" "a negative parameter" "$kmlab" replay "$dir/t.kmt" -p merge=-1 -o "$dir/x.kmr"
refused "parameter 'fallback' takes 0 to 1, not 9" "a parameter out of its range" "$kmlab" replay "$dir/t.kmt" -p fallback=9 -o "$dir/x.kmr"
refused "takes KEY=NUMBER" "a parameter without a value" "$kmlab" replay "$dir/t.kmt" -p merge -o "$dir/x.kmr"
refused "no TLB 'pentium'" "an unknown TLB" "$kmlab" replay "$dir/t.kmt" --tlb pentium -o "$dir/x.kmr"
refused "no access model 'A3'" "an unknown access model" "$kmlab" replay "$dir/t.kmt" --access A3 -o "$dir/x.kmr"
refused "at most are timed" "too many models for timed touches" "$kmlab" replay "$dir/t.kmt" --touch --model slub,slub@5.15,slub@6.1,slub@6.6,slub@6.12,vmalloc,buddy -o "$dir/x.kmr"
refused "use 1G, 2M, 4K or split:PERCENT%" "an unknown direct map" "$kmlab" replay "$dir/t.kmt" --direct-map 64K -o "$dir/x.kmr"
refused "model or pmu, not 'guess'" "an unknown source" "$kmlab" replay "$dir/t.kmt" --source guess -o "$dir/x.kmr"
refused "names no model" "no model" "$kmlab" replay "$dir/t.kmt" --model , -o "$dir/x.kmr"
refused "table, json, csv or tsv" "an unknown format" "$kmlab" replay "$dir/t.kmt" -f xml -o "$dir/x.kmr"
for number in 0 -1 1x 99999999999999999999; do
	refused "takes 1 to 1000, not '$number'" "--reps $number" "$kmlab" replay "$dir/t.kmt" --reps $number -o "$dir/x.kmr"
done
refused "$dir/none.kmt" "a missing trace" "$kmlab" replay "$dir/none.kmt" -o "$dir/x.kmr"
head -c 30000 "$dir/t.kmt" >"$dir/short.kmt"
refused "$dir/short.kmt" "a truncated trace" "$kmlab" replay "$dir/short.kmt" -o "$dir/x.kmr"
seq 1000 >"$dir/text.kmt"
refused "$dir/text.kmt" "a foreign file" "$kmlab" replay "$dir/text.kmt" -o "$dir/x.kmr"
refused "$dir/text.kmt" "a foreign result file" "$kmlab" replay "$dir/t.kmt" -o "$dir/text.kmt"
is "$(wc -l <"$dir/text.kmt")" 1000 "which is left as it was"
refused "cannot be opened" "an output that cannot be made" "$kmlab" replay "$dir/t.kmt" -o "$dir/no/such/x.kmr"

# Without -o: results/ below where it runs, made when there is something to put in.
mkdir "$dir/here"
(cd "$dir/here" && "$kmlab" replay "$dir/none.kmt" -m null >"$dir/out" 2>"$dir/err")
is "$? $(ls "$dir/here")" "2 " "a trace that cannot be read leaves no directory behind"
(cd "$dir/here" && "$kmlab" replay "$dir/t.kmt" -m null >"$dir/out" 2>"$dir/err")
is "$? $(ls "$dir/here/results")" "0 t.kmr" "without -o the runs go to results/TRACE.kmr"
is "$(cat "$dir/err")" "kmlab: the runs are stored in results/t.kmr" "which is said"
(cd "$dir/here" && "$kmlab" replay -q "$dir/t.kmt" -m null >"$dir/out" 2>"$dir/err")
is "$? $(cat "$dir/err")" "0 " "unless -q was given"

mkdir "$dir/full"
if mount -t tmpfs -o size=192k none "$dir/full" 2>/dev/null; then
	refused "no space left" "a full disk" "$kmlab" replay "$dir/t.kmt" --model $models --reps 9 -o "$dir/full/r.kmr"
	umount "$dir/full"
else
	skip "a full disk" "mounting a small file system needs root"
fi
"$kmlab" replay "$dir/t.kmt" --model slub -o "$dir/z.kmr" --format json >/dev/full 2>"$dir/err"
is $? 2 "a document that cannot be written is an error"

"$kmlab" replay "$dir/t.kmt" --model vmalloc,slub --reps 1000 -o "$dir/int.kmr" >"$dir/out" 2>"$dir/err" &
pid=$!
for _ in $(seq 200); do
	[ "$(stat -c %s "$dir/int.kmr" 2>/dev/null || echo 0)" -gt 150000 ] && break
	sleep 0.05
done
kill -INT $pid
wait $pid
is $? 130 "Ctrl-C: exit 130"
like "$dir/err" 'interrupted; [0-9]+ runs are stored' "it says what was saved"
"$kmlab" plot "$dir/int.kmr" -o "$dir/plots" >/dev/null 2>"$dir/err"
ok $? "what was saved is a readable result"

done_testing
