#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kmlab fidelity --buddyinfo: page events replayed from the start snapshot, compared with the end's.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
kmlab=${KMLAB:?}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
sample=$(dirname "$0")/../../traces/samples/fork.kmt

"$kmlab" fidelity --buddyinfo "$sample" --format tsv >"$dir/rows" 2>"$dir/note"
is $? 0 'the sample is replayed'
is "$(head -n 1 "$dir/rows" | tr '\t' ' ')" 'zone order start model kernel' 'a table of zones and orders'
is "$(wc -l <"$dir/rows")" 34 'three zones, eleven orders'
is "$(awk -F'\t' 'NR > 1 && $2 >= 4 && $4 != $5' "$dir/rows")" '' 'order 4 and up: as the kernel counted'
is "$(awk -F'\t' 'NR > 1 && $1 != "Normal" && $4 != $5' "$dir/rows")" '' 'zones the load did not touch too'
awk -F'\t' 'NR > 1 {model += $4 * 2 ^ $2; kernel += $5 * 2 ^ $2} END {exit !(model > kernel * 0.99 && model < kernel * 1.01)}' "$dir/rows"
ok $? 'free pages within 1 %'
like "$dir/note" '0 from another zone, 0 without a page' 'what was guessed is counted'
"$kmlab" fidelity --buddyinfo "$sample" --format tsv >"$dir/again" 2>/dev/null
cmp -s "$dir/rows" "$dir/again"
ok $? 'twice the same'
"$kmlab" fidelity --buddyinfo "$sample" --format json >"$dir/json"
is "$(grep -c '"order"' "$dir/json")" 33 'the same rows as JSON'
"$kmlab" edit "$sample" --kind kmalloc,kfree -o "$dir/none.kmt" >/dev/null 2>"$dir/err" &&
	"$kmlab" fidelity --buddyinfo "$dir/none.kmt" >"$dir/out" 2>"$dir/err"
is $? 2 'a trace without pages is refused'
if command -v sqlite3 >/dev/null; then
	cp "$sample" "$dir/long.kmt"
	sqlite3 "$dir/long.kmt" "UPDATE meta SET value = '18446744073709551615' WHERE key = 'duration_ns'"
	"$kmlab" fidelity --buddyinfo "$dir/long.kmt" --format tsv >"$dir/rows" 2>/dev/null
	is $? 0 'an end that is centuries away is reached'
else
	skip 'an end that is centuries away is reached' 'the sqlite3 shell is not installed'
fi
done_testing
