#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The flight recorder: what it saves is an ordinary trace of the window, with a ledger of the whole
# flight; when it saves; how it keeps to its memory.
set -u
. "$(dirname "$0")/recording.sh"

wait_for() { # FILE PATTERN: until it says so, 10 s at most
	for _ in $(seq 200); do
		grep -q "$2" "$1" 2>/dev/null && return
		sleep 0.05
	done
}
sound() { # FILE: an ordinary trace
	"$kmlab" check "$1" >"$dir/check" 2>&1
	like "$dir/check" "^trace .*finished, [1-9][0-9]* events intact" "$(basename "$1") is finished, and as it should be"
	is "$(sql "$1" "select (select sum(fired) from counts) - (select sum(recorded) from counts) - (select sum(count) from lost) - (select sum(count) from filtered)")" \
		0 "its ledger balances"
	# Whatever was under way when recording ended may be recorded a moment later.
	is "$(sql "$1" "select count(*) from event where time_ns > (select value + 1000000 from meta where key = 'duration_ns')")" \
		0 "and its events lie in its time"
}
meta() { # FILE KEY
	sql "$1" "select value from meta where key = '$2'"
}
timers="select count(*) from event where kind = 'kmalloc' and comm = 'kmlab-workload' and site like '__do_sys_timerfd_create%'"

# ---- a window longer than the flight: all of it ----
"$capture" -o "$dir/all.kmt" --flight 60 -- "$workload" --timers 10007 2>"$dir/all.err"
is $? 0 "a flight of a command exits 0"
like "$dir/all.err" 'keeping the last 60 s in up to 512 MiB' "it says what it keeps, and in how much memory"
is "$(cd "$dir" && echo all.*kmt)" "all.1.kmt" "it saves at the end"
sound "$dir/all.1.kmt"
is "$(sql "$dir/all.1.kmt" "$timers")" 10007 "10007 timers are exactly 10007 kmallocs"
is "$(sql "$dir/all.1.kmt" "select count from filtered where reason = 'aged'")" 0 "nothing has aged"
is "$(meta "$dir/all.1.kmt" flight)" end "the reason is in the trace"

# ---- under load: on a signal, on another, and at an end that comes while it saves ----
cat >"$dir/load" <<EOF
"$workload" --timers 5003
exec "$workload" --seconds 60 --scale 99 2>/dev/null
EOF
"$capture" -o "$dir/f.kmt" --flight 0.5 -- sh "$dir/load" 2>"$dir/f.err" &
pid=$!
wait_for "$dir/f.err" 'keeping the last'
sleep 3
kill -USR1 $pid
wait_for "$dir/f.err" 'f\.1\.kmt: '
kill -USR1 $pid
for _ in $(seq 200); do
	[ "$(grep -c ': signal$' "$dir/f.err")" -ge 2 ] && break
	sleep 0.01
done
kill -TERM $pid
wait $pid
is $? 130 "SIGTERM ends it as Ctrl-C does: exit 130"
is "$(cd "$dir" && echo f.*kmt)" "f.1.kmt f.2.kmt f.3.kmt" "three traces were saved"
for n in 1 2 3; do sound "$dir/f.$n.kmt"; done
is "$(meta "$dir/f.1.kmt" flight) $(meta "$dir/f.2.kmt" flight) $(meta "$dir/f.3.kmt" flight)" \
	"signal signal end" "for their reasons"
is "$(sql "$dir/f.1.kmt" "select cast(value as integer) >= 500000000 from meta where key = 'duration_ns'")" 1 "the window is covered"
is "$(sql "$dir/f.1.kmt" "select count > 0 from filtered where reason = 'aged'")" 1 "what came before has aged"
is "$(sql "$dir/f.1.kmt" "$timers")" 0 "the timers at the beginning are not in it"
is "$(lost_but_hidden "$dir/f.1.kmt")" 0 "nothing was lost in the first"
is "$(lost_but_hidden "$dir/f.3.kmt")" 0 "nor while it saved"
is "$(sql "$dir/f.1.kmt" "select count(*) from snapshot where phase = 'start' and time_ns = 0 and source = '/proc/buddyinfo'")" \
	1 "it begins at a snapshot of the machine"
is "$(sql "$dir/f.1.kmt" "select group_concat(phase) from (select distinct phase from snapshot order by 1)")" \
	"end,sample,start" "and has all that traces have"
is "$(sql "$dir/f.1.kmt" "select count(*) from site where id > 0 and symbol = ''")" 0 "every call site has a symbol"

# ---- triggers ----
"$capture" -o "$dir/rate.kmt" --flight 30 --trigger rate=10 -- "$workload" --seconds 1 2>"$dir/rate.err"
is "$(meta "$dir/rate.1.kmt" flight)" rate "many events in a short time are a reason"
is "$(grep -c 'saving the last .*: rate' "$dir/rate.err")" 1 "once a window"
like "$dir/rate.err" 'rate.1.kmt: [0-9]+ events' "it says what it saved"
case $(uname -m) in
x86_64) bpf=321 ;;
aarch64) bpf=280 ;;
*) bpf= ;;
esac
if [ -n "$bpf" ] && perl -e 1 2>/dev/null; then
	# BPF_BTF_LOAD of 8 MiB of nothing: kmalloc() cannot give so much.
	cat >"$dir/fail.pl" <<'EOF'
my $nothing = "\0" x (8 << 20);
my $attributes = pack("Q Q L L L x100", unpack("Q", pack("P", $nothing)), 0, length($nothing), 0, 0);
syscall($ARGV[0] + 0, 18, $attributes, 120);
select(undef, undef, undef, 0.3);
EOF
	"$capture" -q -o "$dir/fail.kmt" --flight 30 --trigger failed -- perl "$dir/fail.pl" $bpf
	is "$(meta "$dir/fail.1.kmt" flight)" failed "an allocation that failed is a reason"
	is "$(sql "$dir/fail.1.kmt" "select count(*) > 0 from event where kind = 'kmalloc' and ptr = 0 and bytes_req = 8388608 and comm = 'perl'")" \
		1 "and is in the trace"
else
	skip "an allocation that failed" "no perl, or an unknown machine"
fi

# Pages that cannot move, in pipes: more than their free lists hold, and than an earlier recorder's
# rings give back meanwhile, so others' blocks must serve.
free_unmovable() { # in MiB
	awk '$6 == "Unmovable" && $1 == "Node" {
		for (order = 0; order + 7 <= NF; order++) {
			sub(">", "", $(order + 7))
			pages += $(order + 7) * 2 ^ order
		}
	} END {printf "%d", pages / 256 + 1}' /proc/pagetypeinfo
}
mib=$(($(free_unmovable) + 1024))
if perl -e 1 2>/dev/null && [ "$mib" -lt "$(awk '$1 == "MemAvailable:" {printf "%d", $2 / 2048}' /proc/meminfo)" ]; then
	cat >"$dir/pin.pl" <<'EOF'
use Fcntl;
for (1 .. $ARGV[0]) {
	pipe my $out, my $in or die "a pipe: $!";
	fcntl($in, 1031, 1 << 20) or die "a pipe of 1 MiB: $!"; # F_SETPIPE_SZ
	syswrite($in, "x" x (1 << 20)) == 1 << 20 or die "filling it: $!";
	push @pipes, $out, $in;
}
select(undef, undef, undef, 0.3);
EOF
	"$capture" -q -e page -o "$dir/extfrag.kmt" --flight 30 --trigger extfrag -- \
		sh -c "ulimit -n $((2 * mib + 64)) && exec perl '$dir/pin.pl' $mib"
	echo "# $mib MiB of pages that cannot move were pinned"
	is "$(meta "$dir/extfrag.1.kmt" flight)" extfrag "a fallback to another migratetype is a reason"
	is "$(sql "$dir/extfrag.1.kmt" "select count(*) > 0 from event where kind = 'page_extfrag'")" \
		1 "and is in the trace"
	sound "$dir/extfrag.1.kmt"
else
	skip "a fallback to another migratetype" "no perl, or too little memory to force one"
fi

# ---- memory ----
"$capture" -o "$dir/m.kmt" --flight 60 --flight-memory 1M -d 1 2>"$dir/m.err"
is $? 2 "less memory than the machine's state takes: exit 2"
least=$(sed -n 's/.*needs at least \([0-9]*\)[.0-9]* MiB here$/\1/p' "$dir/m.err")
"$capture" -o "$dir/m.kmt" --flight 60 --flight-memory $((${least:-1} + 1))M -- \
	"$workload" --seconds 2 --only sockets --scale 99 2>"$dir/m.err"
is $? 0 "with a little more it flies"
sound "$dir/m.1.kmt"
is "$(grep -c 'do not fit into' "$dir/m.err")" "$(grep -c 'dropped early' "$dir/m.err")" \
	"when that was too little for the window, it says so once"
is "$(sql "$dir/m.1.kmt" "select count(*) from snapshot where phase = 'start' and source = '/proc/meminfo'")" \
	1 "and the trace begins at a snapshot all the same"

# ---- a full disk ----
mkdir "$dir/small"
if mount -t tmpfs -o size=1m kmlab-test "$dir/small" 2>/dev/null; then
	trap 'umount "$dir/small"; rm -rf "$dir"' EXIT
	"$capture" -o "$dir/small/f.kmt" --flight 30 -- "$workload" --seconds 2 --scale 9 2>"$dir/full.err" &
	pid=$!
	wait_for "$dir/full.err" 'keeping the last'
	kill -USR1 $pid
	wait_for "$dir/full.err" 'the disk is full'
	mount -o remount,size=64m "$dir/small"
	wait $pid
	is $? 2 "a trace that could not be saved: exit 2 at the end"
	like "$dir/full.err" 'the disk is full' "one sentence says so"
	sound "$dir/small/f.2.kmt"
	umount "$dir/small"
	trap 'rm -rf "$dir"' EXIT
else
	skip "a full disk" "cannot mount a small file system"
fi

"$capture" -o "$dir/bad.kmt" --trigger failed 2>/dev/null
is $? 2 "--trigger without --flight: exit 2"
done_testing
