#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kmlab doctor: one answer in four formats, an exit code that is true, and nothing left behind.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
build=${KMLAB_BUILD:?}
kmlab=${KMLAB:?}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

# ---- where capture is not built ----
mkdir "$dir/bin" && cp "$kmlab" "$dir/bin/kmlab"
"$dir/bin/kmlab" doctor >"$dir/none.out" 2>"$dir/none.err"
is $? 2 "without kmlab-capture: exit 2"
like "$dir/none.err" 'capture is not built; install .*make deps' "one sentence says what to install"
is "$(wc -l <"$dir/none.err")$(cat "$dir/none.out")" 1 "and nothing else is said"
"$kmlab" --help | grep -q '^ *doctor '
ok $? "it is in the list of commands"

if [ ! -x "$build/kmlab-capture" ]; then
	skip "the doctor" "kmlab-capture is not built (libbpf-dev, clang, bpftool)"
	done_testing
fi

# ---- the answer ----
cd "$dir" && mkdir here
"$kmlab" doctor >text 2>err
code=$?
[ $code -le 1 ]
ok $? "exit 0 or 1, here $code"
is "$(cat err)" "" "nothing on stderr"
"$build/kmlab-capture" -q -d 0.01 -o try.kmt 2>try.err
[ $? -eq $((code ? 2 : 0)) ]
ok $? "and recording does what it says" || sed 's/^/# /' text try.err
works=$([ $code -eq 0 ] && echo true || echo false)
"$kmlab" doctor --format json -C here >json 2>err
is $? $code "-f json: the same exit code"
like json '^  "schema": 1,$' "the document has its schema"
like json "^  \"works\": $works,\$" "works is $works"
"$kmlab" doctor --format tsv >tsv
"$kmlab" doctor --format csv >csv
is "$(head -1 tsv)" $'subject\tstate\tneeded\tmeaning\tremedy' "tsv has a header"
is "$(head -1 csv | tr -d '\r')" "subject,state,needed,meaning,remedy" "csv, too"
subjects=$(tail -n +2 tsv | cut -f 1)
is "$(sed -n 's/^      "subject": "\(.*\)",$/\1/p' json)" "$subjects" "json has the same subjects"
is "$(grep -cE '^(ok|limited|missing) ' text)" "$(wc -l <<<"$subjects")" "text has as many lines"
for subject in kernel BTF CAP_BPF CAP_PERFMON CAP_SYS_NICE CAP_SYSLOG 'events: slab' 'events: rcu' recorder \
	'real-time priority' tracefs 'kernel symbols' memory disk 'cgroup v2' 'PMU: cycles' \
	'PMU: dTLB-load-misses' gnuplot; do
	grep -qxF "$subject" <<<"$subjects" || echo "$subject"
done >absent
is "$(cat absent)" "" "nothing is forgotten"
is "$(tail -n +2 tsv | cut -f 2 | grep -cvxE 'ok|limited|missing')" 0 "every state has one of three names"
is "$(tail -n +2 tsv | awk -F '\t' '$4 == "" || ($2 == "ok" && $5 != "")')" "" \
	"every line has a meaning, and a remedy only what is not ok"
is "$(tail -n +2 tsv | awk -F '\t' '$3 == "yes" && $2 == "missing" {bad = 1} END {print bad + 0}')" $code \
	"the exit code says whether something needed is missing"
is "$(ls here)" "" "the disk was tried and nothing is left on it"

# ---- a directory that cannot be written ----
"$kmlab" doctor -C "$dir/nowhere" --format tsv >tsv
is $? 1 "no such directory: exit 1"
is "$(awk -F '\t' '$1 == "disk" {print $2 ": " $4}' tsv)" \
	"missing: $dir/nowhere cannot be written: No such file or directory" "the disk's line says so"

# ---- misuse ----
for bad in "--format xml" "left" "--no-such-option"; do
	# shellcheck disable=SC2086
	"$kmlab" doctor $bad >out 2>err
	is "$?:$(cat out)" 2: "$bad: exit 2"
done
done_testing
