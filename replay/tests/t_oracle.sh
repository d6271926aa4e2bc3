#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Programs nobody has seen: made from a seed, executed by a real kernel that boots for it, and by the
# models. `make oracle` does more of it.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
kmlab=${KMLAB:?}
oracle=$(dirname "$0")/../../engine/oracle/oracle
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
"$oracle" random page 7 100 >"$dir/once.kms"
"$oracle" random page 7 100 >"$dir/twice.kms"
cmp "$dir/once.kms" "$dir/twice.kms"
ok $? "the same seed gives the same program"
if ! "$oracle" ready 6.1 2>"$dir/err"; then
	skip "Linux 6.1 answers" "$(tail -n 1 "$dir/err")"
	done_testing
fi

echo 'p = frobnicate(3)' >"$dir/bad.kms"
"$oracle" ask "$dir/bad.kms" >"$dir/asked.kms" 2>"$dir/err"
is $? 2 "a call it does not know: exit 2"
like "$dir/err" 'line 1 is not executed here: p = frobnicate' "the line is named"

for kind in caches; do
	"$oracle" random $kind 2 2000 6.1 2 >"$dir/$kind.kms"
	"$oracle" ask "$dir/$kind.kms" >"$dir/asked.kms" 2>"$dir/err"
	is $? 0 "$kind: Linux 6.1 executes it" || sed 's/^/# /' "$dir/err"
	is "$(grep -c -e ' -> ' "$dir/asked.kms")" "$(grep -c 'alloc(\|alloc_' "$dir/$kind.kms")" \
		"and answers every allocation"
	"$kmlab" run --check "$dir/asked.kms" >"$dir/verdict" 2>&1
	is $? 0 "the models answer the same" || sed 's/^/# /' "$dir/verdict"
	like "$dir/verdict" 'end state' "and end in the same state"
done

# Programs of pages share a boot: two CPUs, with plenty of memory and short of it.
"$oracle" random plenty 1 1500 6.1 2 256M >"$dir/plenty.kms"
"$oracle" random pressure 2 2500 6.1 2 256M >"$dir/pressure.kms"
"$oracle" answer "$dir/answers" "$dir"/{plenty,pressure}.kms 2>"$dir/err"
is $? 0 "pages: Linux 6.1 executes two programs in one boot" || sed 's/^/# /' "$dir/err"
like "$dir/answers/pressure.kms" '> NULL' "memory ran out"
for kind in plenty pressure; do
	"$kmlab" run --check "$dir/answers/$kind.kms" >"$dir/verdict" 2>&1
	is $? 0 "$kind: the models answer the same" || sed 's/^/# /' "$dir/verdict"
	like "$dir/verdict" 'end state' "and end in the same state"
done
done_testing
