#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# engine/oracle/oracle: commands that want the same kernel's module at once build it once, one after
# the other; a build that failed is made again. What fetches and builds is a stand-in that tells when it works.
set -u
. "$(dirname "$0")/tap.sh"
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/engine" "$work/.ci/vm"
cp -r engine/oracle "$work/engine/"
cat >"$work/.ci/vm/vm" <<'SH'
#!/bin/bash
# vm module KERNEL NAME FOLDER SOURCES…
[ "$1" = module ] || exit 0
echo begin >>"$LOG"
[ ! -e "$FAIL" ] || exit 1
mkdir -p "$4"
sleep 0.3
echo end >>"$LOG"
echo built >"$4/$3.ko"
SH
chmod +x "$work/.ci/vm/vm"
export LOG=$work/log FAIL=$work/fail KMLAB_VM_CACHE=$work/cache

touch "$FAIL"
"$work/engine/oracle/oracle" ready 6.1 2>/dev/null
[ $? != 0 ]
ok $? 'a build that fails is told'
rm "$FAIL" "$LOG"
for _ in 1 2 3 4; do
	"$work/engine/oracle/oracle" ready 6.1 &
done
"$work/engine/oracle/oracle" ready 6.12
is $? 0 'another kernel'
wait
is "$(grep -c begin "$LOG")" 2 'four at once build one module, and one for the other kernel'
is "$(cat "$work"/cache/oracle-6.1/kmlab_oracle.ko)" built 'which is there'
touch -d '1 hour ago' "$work"/cache/oracle-6.1/kmlab_oracle.ko
touch "$work/engine/oracle/run.c"
"$work/engine/oracle/oracle" ready 6.1
is "$(grep -c begin "$LOG")" 3 'sources that changed are built again'
done_testing
