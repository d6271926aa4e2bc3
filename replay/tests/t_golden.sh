#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every number of a replay that is not a timing, for every bundled sample and model, against results/golden. A model change shows
# up as a difference to review; `t_golden.sh --update` writes the numbers anew.
set -u
cd "$(dirname "$0")/../.." || exit 1
kmlab=${KMLAB:-build/kmlab}
models=kernel,slub,slub@5.15,slub@6.1,slub@6.6,slub@6.12,slub@7.2,buddy,vmalloc,kvmalloc:4096,bump
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

n=0
failed=0
samples=(traces/samples/*.kmt)
if [ ! -r "${samples[0]}" ]; then
	echo "1..0 # SKIP no sample capture lies in traces/samples"
	exit 0
fi
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
	n=$((n + 1))
	if diff -u "$golden" "$dir/$name.csv" >"$dir/diff" 2>&1; then
		echo "ok $n - $name: $(wc -l <"$golden") numbers are as in $golden"
	else
		failed=1
		echo "not ok $n - $name: numbers differ from $golden (--update writes them anew)"
		head -40 "$dir/diff" | sed 's/^/# /'
	fi
done
[ "${1:-}" = --update ] || echo "1..$n"
exit $failed
