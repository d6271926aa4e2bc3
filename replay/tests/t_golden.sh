#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every number of a replay that is not a timing, for every bundled sample and model, against results/golden. A model change shows
# up as a difference to review; `t_golden.sh --update` writes the numbers anew.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
cd "$(dirname "$0")/../.." || exit 1
kmlab=${KMLAB:-build/kmlab}
models=kernel,slub,slub@5.15,slub@6.1,slub@6.6,slub@6.12,slub@7.2,slab,slab@5.15,slob,buddy,vmalloc,kvmalloc:4096,bump
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

# model,number,value: one line each; timings and what was not measured are left out.
flatten() {
	perl -MJSON::PP -e '
		local $/;
		my $document = decode_json(<STDIN>);
		sub walk {
			my ($model, $name, $value) = @_;
			if (ref $value eq "HASH") {
				walk($model, length $name ? "$name.$_" : $_, $value->{$_}) for sort keys %$value;
			} elsif (!ref $value && defined $value) {
				return if $name =~ /^(latency_ns|tlb|params|wall_ns|ops_per_s|model|seed|rep)/;
				printf "%s,%s,%.6g\n", $model, $name, $value;
			}
		}
		walk($_->{model}, "", $_) for @{$document->{runs}};'
}

samples=(traces/samples/*.kmt)
[ -r "${samples[0]}" ] || skip_all "no sample capture lies in traces/samples"
for sample in "${samples[@]}"; do
	name=$(basename "$sample" .kmt)
	golden=results/golden/$name.csv
	"$kmlab" replay -q "$sample" --model $models -o "$dir/$name.kmr" --format json >"$dir/$name.json"
	{
		echo "model,number,value"
		flatten <"$dir/$name.json"
	} >"$dir/$name.csv"
	if [ "${1:-}" = --update ]; then
		cp "$dir/$name.csv" "$golden"
		continue
	fi
	diff -u "$golden" "$dir/$name.csv" >"$dir/diff" 2>&1
	ok $? "$name: $(wc -l <"$dir/$name.csv") numbers are as in $golden (--update writes them anew)" ||
		head -40 "$dir/diff" | sed 's/^/# /'
done
[ "${1:-}" = --update ] || done_testing
