#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Events that the kernel hides from a program because it is running already: each way to recover
# them does, says how many, and what it recovers is as true as the rest.
set -u
. "$(dirname "$0")/recording.sh"

# Frees by tasks, and of what exiting ones left, from interrupts: the two meet now and then.
load=(sh -c "'$workload' --timers 300000 & '$workload' --only processes --seconds 2; wait")

record() { # NAME OPTION…: sets lost, recovered
	local name=$1
	shift
	"$capture" -e slab "$@" -o "$dir/$name.kmt" -- "${load[@]}" 2>"$dir/$name.err" >/dev/null
	is $? 0 "$name: a load is recorded" || sed 's/^/# /' "$dir/$name.err"
	read -r lost recovered <<<"$(sed -n 's/.* lost \([0-9]*\),.* recovered \([0-9]*\)$/\1 \2/p' "$dir/$name.err")"
	is "$(sql "$dir/$name.kmt" "select (select sum(fired) from counts) - (select sum(recorded) from counts) - (select sum(count) from lost) - (select sum(count) from filtered)")" \
		0 "$name: fired = recorded + lost + filtered"
}

# A free whose arguments were taken from a wrong place would free what does not live, or from a cache
# that it is not of.
wrong() { # NAME: findings about frees
	"$kmlab" check -q --format tsv "$dir/$1.kmt" | awk -F'\t' '$1 == "misuse" {n += $3} END {print n + 0}'
}

record none --recover none
is "$recovered" 0 "none: nothing is recovered"
hidden=$lost
record second --recover frees
few_hidden "$dir/second.err"
ok $? "second programs: hardly anything is lost" || echo "# lost $lost, recovered $recovered"
is "$(wrong second)" 0 "second programs: no free is wrong"
echo "# hidden without recovery $hidden; second programs recovered $recovered"

if "$kmlab" doctor --format tsv 2>/dev/null | grep -q $'hidden events\tok\|ok\thidden events'; then
	for attempt in 1 2 3 4 5; do
		record "watched-$attempt"
		few_hidden "$dir/watched-$attempt.err"
		ok $? "watched-$attempt: hardly anything is lost" || echo "# lost $lost, recovered $recovered"
		is "$(wrong "watched-$attempt")" 0 "watched-$attempt: no free is wrong"
		is "$(sql "$dir/watched-$attempt.kmt" "select count(*) from event where kind in ('cache_free', 'cache_alloc') and cache is null")" \
			0 "watched-$attempt: each object's cache is known"
		is "$(sql "$dir/watched-$attempt.kmt" "select name from cache where id > 0" | sort -u |
			comm -23 - <(cut -d' ' -f1 /proc/slabinfo | sort -u))" \
			"" "watched-$attempt: and one that the kernel has"
		echo "# watchpoints recovered $recovered"
		[ "$recovered" -eq 0 ] || break
	done
	if [ "$recovered" -eq 0 ] && [ "$hidden" -eq 0 ]; then
		skip "watchpoints recover" "no event was hidden here"
	else
		[ "$recovered" -gt 0 ]
		ok $? "watchpoints recover what was hidden"
	fi
else
	skip "watchpoints" "the machine has none to give"
fi
done_testing
