#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What a person sees of a capture in a terminal, a real one as far as the program can tell.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
kmlab=${KMLAB:?}
capture=${KMLAB_BUILD:?}/kmlab-capture

[ -x "$capture" ] || skip_all "kmlab-capture is not built (libbpf-dev, clang, bpftool)"
script --version 2>/dev/null | grep -q util-linux || skip_all "script of util-linux is not installed"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
"$capture" -q -d 0.01 -o "$dir/try.kmt" 2>"$dir/try.err" || skip_all "cannot record here: $(cat "$dir/try.err")"

in_terminal() { # SCREEN COMMAND: run by a shell whose terminal is 100 columns wide
	script -qefc "stty cols 100; $2" "$1" >/dev/null
}
lines() { # SCREEN: every line that was ever drawn, in order
	sed 's/\r\x1b\[K/\n/g' "$1" | tr -d '\r' | grep -v '^Script '
}
number='[0-9]+(\.[0-9]+)?( [kMG])?'

# ---- the progress line ----
in_terminal "$dir/screen" "'$capture' -d 2.2 -o '$dir/t.kmt' -- sleep 60" </dev/null
is $? 0 "in a terminal: exit 0"
lines "$dir/screen" >"$dir/lines"
like "$dir/lines" "^recording  [0-9]+\.[0-9] of 2\.2 s  $number/s  $number events  lost 0  $number [KM]iB\$" \
	"a line shows elapsed time, rate, events, losses and size"
grep '^recording' "$dir/lines" >"$dir/drawn"
[ "$(wc -l <"$dir/drawn")" -ge 3 ] && [ "$(sort -u "$dir/drawn" | wc -l)" -ge 3 ]
ok $? "it moves" || sed 's/^/# /' "$dir/drawn"
is "$(sed 's/\r\x1b\[K/\x01/g; s/[^\x01]*\x01\(recording\)/\1/g' "$dir/screen" | grep -c 'recording[^\x01]*$')" 0 \
	"every one of them is wiped away"
is "$(grep -v '^recording' "$dir/lines" | grep -cv '^$\|^kmlab: ')" 0 "what stays are whole messages"
is "$(tail -1 "$dir/screen" | grep -c 'Script\|^kmlab')$(tail -c 1 "$dir/screen" | wc -l)" 11 "the last line is ended"

# ---- narrower than the line ----
script -qefc "stty cols 30; '$capture' -d 1.5 -o '$dir/t.kmt'" "$dir/narrow" >/dev/null </dev/null
lines "$dir/narrow" | grep '^recording  1' >"$dir/drawn"
is "$(awk 'length($0) > 29' "$dir/drawn")$(awk 'END {print (NR > 0)}' "$dir/drawn")" 1 \
	"in a narrow terminal it is cut, not wrapped"

# ---- Ctrl-C ----
mkfifo "$dir/keys"
rm -f "$dir/screen" # that of the first run would be taken for this one's
in_terminal "$dir/screen" "'$capture' -o '$dir/c.kmt' -- sleep 60" <"$dir/keys" &
pid=$!
exec 3>"$dir/keys"
for _ in $(seq 200); do
	grep -qs recording "$dir/screen" && break
	sleep 0.05
done
printf '\003' >&3
wait $pid
is $? 130 "Ctrl-C: exit 130"
exec 3>&-
lines "$dir/screen" >"$dir/lines"
like "$dir/lines" '^kmlab: saving what was recorded' "it says that it saves, on a line of its own"
like "$dir/lines" '^kmlab: .*c\.kmt: [0-9]+ events' "and what it saved"
is "$("$kmlab" sql "$dir/c.kmt" "select value from meta where key = 'complete'" --format tsv | tail -1)" 1 \
	"the trace is complete"

# ---- quiet, and no terminal ----
in_terminal "$dir/screen" "'$capture' -q -d 1.3 -o '$dir/t.kmt'" </dev/null
is "$(lines "$dir/screen" | grep -v '^$')" "" "-q shows nothing"
"$capture" -d 1.3 -o "$dir/t.kmt" 2>"$dir/plain"
is "$(grep -c 'recording  \|'$'\r\|\x1b' "$dir/plain")" 0 "where stderr is no terminal no progress is shown"
like "$dir/plain" '^kmlab: .*t\.kmt: ' "but the result is"
done_testing
