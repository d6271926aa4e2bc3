#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kmlab-capture --chase: a line per place, size and round; what it says where it may not; bad input.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
capture=${KMLAB_BUILD:?}/kmlab-capture

[ -x "$capture" ] || skip_all "kmlab-capture is not built (libbpf-dev, clang, bpftool)"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

for bad in "" 1 65537 4096,x; do
	# shellcheck disable=SC2086
	"$capture" --chase $bad >"$dir/out" 2>"$dir/err"
	is "$? $(wc -c <"$dir/out")" "2 0" "pages '$bad': exit 2, nothing on stdout"
done

if ! "$capture" --chase --rounds=3 64,1000 >"$dir/out" 2>"$dir/err"; then
	like "$dir/err" 'Linux 6\.2.*setcap|cannot be had' "refused with what is needed"
	done_testing
fi
is "$(grep -cE '^page [0-9]+ [0-9]+$' "$dir/out")" 1000 "where each object of the direct map lies"
sed -i '/^page/d' "$dir/out"
is "$(wc -l <"$dir/out")" 18 "three places, two sizes, three rounds"
is "$(cut -d' ' -f1,2 "$dir/out" | sort | uniq -c | awk '{print $1}' | sort -u)" 3 "each as often as asked"
is "$(awk '!($1 ~ /^(direct|vmalloc|dense)$/ && $3 > 0.1 && $3 < 100000)' "$dir/out")" "" "every line is a place, pages, and a time"
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$dir" && cp "$capture" "$dir/kmlab-capture"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$dir/kmlab-capture" --chase 64 >"$dir/out" 2>"$dir/err"
	is "$? $(wc -c <"$dir/out") $(wc -l <"$dir/err")" "2 0 1" "without privilege: exit 2 and one sentence"
	like "$dir/err" 'setcap' "which names the remedy"
fi
done_testing
