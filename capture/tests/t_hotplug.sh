#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A CPU taken off and put back while recording: what it recorded before and after is there, what it
# could not record is counted, and its watchpoints come back with it.
set -u
. "$(dirname "$0")/recording.sh"

cpu=$(sed 's/.*[-,]//' /sys/devices/system/cpu/online)
switch=/sys/devices/system/cpu/cpu$cpu/online
[ -w "$switch" ] || skip_all "this machine does not let go of CPU $cpu"
if ! echo 0 2>/dev/null >"$switch" || ! echo 1 >"$switch"; then
	skip_all "this machine does not let go of CPU $cpu"
fi
trap 'echo 1 >"$switch"; rm -rf "$dir"' EXIT
command -v taskset >/dev/null || skip_all "no taskset (util-linux)"

# Timers on that CPU before, everywhere while it is off, on it again, the last for some seconds:
# enough for events to be hidden from the programs.
cat >"$dir/load" <<EOF
taskset -c $cpu "$workload" --timers 10007
"$workload" --timers 200003 &
for off in 1 2 3; do
	echo 0 >"$switch"
	sleep 0.2
	echo 1 >"$switch"
	sleep 0.2
done
wait
taskset -c $cpu "$workload" --timers 200003
EOF
"$capture" -e slab -o "$dir/T.kmt" -- bash "$dir/load" 2>"$dir/err" >/dev/null
is $? 0 "a CPU leaves and comes back three times" || sed 's/^/# /' "$dir/err"
tail -1 "$dir/err" | sed 's/^/# /'
"$kmlab" check "$dir/T.kmt" >"$dir/check" 2>&1
is $? 0 "the trace is sound" || sed 's/^/# /' "$dir/check"
is "$(sql "$dir/T.kmt" "select (select sum(fired) from counts) - (select sum(recorded) from counts) - (select sum(count) from lost) - (select sum(count) from filtered)")" \
	0 "fired = recorded + lost + filtered"
lost=$(sql "$dir/T.kmt" "select sum(count) from lost")
timers="kind = 'kmalloc' and comm = 'kmlab-workload' and site like '__do_sys_timerfd_create%'"
recorded=$(sql "$dir/T.kmt" "select count(*) from event where $timers")
[ "$recorded" -le 410013 ] && [ "$((recorded + lost))" -ge 410013 ]
ok $? "410013 timers: $recorded recorded, the rest among the $lost lost"
read -r -a on_cpu <<<"$(sql "$dir/T.kmt" "select group_concat(timers, ' ') from
	(select count(*) as timers from event where cpu = $cpu and $timers group by tid order by min(time_ns))")"
is "${on_cpu[0]}" 10007 "CPU $cpu recorded all before"
[ "${on_cpu[-1]}" -le 200003 ] && [ "$((on_cpu[-1] + lost))" -ge 200003 ]
ok $? "and all after it was back but what was lost: ${on_cpu[-1]} of 200003"
done_testing
