#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Recording as a user who is not root: with capabilities on the file, with ambient ones as a service
# has them, and without any. What it says, what it can do, and what the recorded command may.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
build=${KMLAB_BUILD:?}
kmlab=${KMLAB:?}
here=$(dirname "$0")

[ "$(id -u)" -eq 0 ] || skip_all "only root can give a file capabilities"
[ -x "$build/kmlab-capture" ] || skip_all "kmlab-capture is not built (libbpf-dev, clang, bpftool)"
for tool in setcap setpriv; do
	command -v $tool >/dev/null || skip_all "$tool is not installed (libcap2-bin, util-linux)"
done
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
"$build/kmlab-capture" -q -d 0.01 -o "$dir/root.kmt" 2>"$dir/try.err" ||
	skip_all "cannot record here: $(cat "$dir/try.err")"
mkdir "$dir/out" "$dir/it's a bin" && chmod 755 "$dir" && chown 65534:65534 "$dir/out"
cp "$build/kmlab" "$build/kmlab-capture" "$build/kmlab-workload" "$dir/it's a bin"
bin="$dir/it's a bin"
as_user="setpriv --reuid 65534 --regid 65534 --clear-groups"

sql() { # file query: the rows without the header
	"$kmlab" sql "$1" "$2" --format tsv | tail -n +2
}

capture() { # ARGS: as that user, in a directory of its own
	(cd "$dir/out" && $as_user "$bin/kmlab-capture" "$@")
}

# ---- without ----
capture -d 1 -o denied.kmt 2>"$dir/denied.err"
is $? 2 "without capabilities: exit 2"
is "$(wc -l <"$dir/denied.err")" 1 "one line says why"
like "$dir/denied.err" 'sudo setcap cap_bpf,cap_perfmon,cap_sys_nice,cap_syslog\+ep .*kmlab-capture' \
	"and names the command that helps"
[ ! -e "$dir/out/denied.kmt" ]
ok $? "no file is left behind"
(cd "$dir/out" && $as_user "$bin/kmlab" doctor --format json) >"$dir/denied.json"
is $? 1 "the doctor: exit 1"
like "$dir/denied.json" '"works": false' "recording does not work"
like "$dir/denied.json" '"remedy": "sudo setcap' "it names the same command"

# ---- with capabilities on the file: the very command ----
command=$(sed -n 's/.*once: sudo //p' "$dir/denied.err")
if ! eval "$command" 2>"$dir/setcap.err"; then
	skip "recording with capabilities on the file" "$(cat "$dir/setcap.err")"
	done_testing
fi
if findmnt -no OPTIONS -T "$dir" | grep -qw nosuid; then
	skip "recording with capabilities on the file" "$dir is mounted nosuid"
	done_testing
fi
ok 0 "the command it named can be executed as it stands"
capture -o timers.kmt -- "$bin/kmlab-workload" --timers 1009 2>"$dir/timers.err"
is $? 0 "then recording works"
is "$(sql "$dir/out/timers.kmt" "select count(*) from event where kind = 'kmalloc' and comm = 'kmlab-workload' and site like '__do_sys_timerfd_create%'")" \
	1009 "1009 timers are exactly 1009 kmallocs at their call site"
like "$dir/timers.err" 'lost 0,' "nothing was lost"
# Real-time priority may be refused by a control group, but not silently.
$as_user --inh-caps +sys_nice --ambient-caps +sys_nice chrt -f 1 true 2>/dev/null
refused=$?
is "$(grep -c 'no real-time priority' "$dir/timers.err")" $refused "real-time priority is had, or its lack is told"
is "$(sql "$dir/out/timers.kmt" "select count(*) from event where kind like 'page_%' and ptr >= 0 and ptr * 4096 > 64 * (select value from meta where key = 'memory_bytes')")" \
	0 "page frame numbers lie in this machine's memory"
is "$(sql "$dir/out/timers.kmt" "select count(*) > 0 from event where kind = 'page_alloc'")" 1 "there are some"
base="select value from meta where key = 'direct_map_base'"
is "$(sql "$dir/out/timers.kmt" "$base")" "$(sql "$dir/root.kmt" "$base")" \
	"the direct map is where root finds it"
is "$(grep -c 'only root may read' "$dir/timers.err")" 1 "what only root may read is told once"
is "$(sql "$dir/out/timers.kmt" "select count(*) from snapshot where source in ('/proc/slabinfo', 'sysfs slab')")" 0 \
	"and is left out, not stored empty"
"$kmlab" replay -q "$dir/out/timers.kmt" --model slub -o "$dir/timers.kmr" >"$dir/replay.out" 2>&1
ok $? "its trace can be replayed" || sed 's/^/# /' "$dir/replay.out"
(cd "$dir/out" && $as_user "$bin/kmlab" doctor) >"$dir/doctor.out"
is $? 0 "the doctor: exit 0"

# ---- the recorded command ----
none='0000000000000000 0000000000000000 0000000000000000 0000000000000000'
status='awk "/^Cap(Inh|Prm|Eff|Amb)/ {print \$2}" /proc/self/status | paste -sd " "'
is "$(capture -q -o caps.kmt -- sh -c "$status")" "$none" "the command has none of the recorder's capabilities"
is "$(capture -q -o policy.kmt -- sh -c 'cut -d " " -f 41 /proc/$$/stat')" 0 "nor its priority"

# ---- ambient capabilities, as a service has them ----
caps=+bpf,+perfmon,+sys_nice,+syslog
ambient() {
	(cd "$dir/out" && $as_user --inh-caps $caps --ambient-caps $caps --bounding-set "-all,$caps" \
		--no-new-privs "$dir/plain" "$@")
}
cp "$build/kmlab-capture" "$dir/plain"
is "$(ambient -q -o ambient.kmt -- sh -c "$status")" "$none" "recording with ambient capabilities, which end there"
is "$(sql "$dir/out/ambient.kmt" "select count(*) > 0 from event where kind = 'page_alloc'")" 1 "it works"

# ---- less than asked for ----
setcap cap_bpf,cap_perfmon+ep "$dir/plain"
(cd "$dir/out" && $as_user "$dir/plain" -o less.kmt -- true) 2>"$dir/less.err"
is $? 0 "without CAP_SYS_NICE: exit 0"
like "$dir/less.err" 'no real-time priority, .* sudo setcap .*plain' "it warns, and names the remedy"

# ---- the service ----
if command -v systemd-analyze >/dev/null; then
	mkdir "$dir/unit"
	sed "s|^ExecStart=[^ ]*|ExecStart=$dir/plain|" \
		"$here/../kmlab-capture.service" >"$dir/unit/kmlab-capture.service"
	systemd-analyze verify "$dir/unit/kmlab-capture.service" >"$dir/verify.out" 2>&1
	is "$?:$(cat "$dir/verify.out")" 0: "systemd finds nothing wrong with the service"
else
	skip "systemd finds nothing wrong with the service" "systemd-analyze is not installed"
fi
done_testing
