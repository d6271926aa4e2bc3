# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Test Anything Protocol for the tests t_NAME.sh, which begin with
#	. "$(dirname "$0")/../../engine/tests/tap.sh"
# and end with done_testing. ok, is and like return what they found.
tap_run=0
tap_failed=0

ok() { # STATUS DESC
	tap_run=$((tap_run + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_run - $2"
		return 0
	fi
	tap_failed=1
	echo "not ok $tap_run - $2"
	return 1
}

is() { # GOT WANT DESC
	[ "$1" = "$2" ]
	ok $? "$3" && return
	printf 'got:    %s\nwanted: %s\n' "$1" "$2" | sed 's/^/# /'
	return 1
}

like() { # FILE PATTERN DESC; the pattern is an extended regular expression
	grep -q -E -e "$2" -- "$1"
	ok $? "$3" && return
	echo "# nothing in $1 is like $2; it begins:"
	head -20 -- "$1" | sed 's/^/# /'
	return 1
}

skip() { # DESC REASON
	tap_run=$((tap_run + 1))
	echo "ok $tap_run - $1 # SKIP $2"
}

skip_all() { # REASON
	echo "1..0 # SKIP $1"
	exit 0
}

done_testing() {
	echo "1..$tap_run"
	exit $tap_failed
}
