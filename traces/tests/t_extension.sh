#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The loadable extension in the sqlite3 shell gives the rows that kmlab sql gives, and says what is wrong otherwise.
set -u
. "$(dirname "$0")/../../engine/tests/tap.sh"
kmlab=${KMLAB:?}
extension=${KMLAB_BUILD:?}/kmlab
cd "$(dirname "$0")/../.." || exit 1
command -v sqlite3 >/dev/null || skip_all "the sqlite3 shell is not installed"
[ -r "$extension.so" ] || skip_all "$extension.so was not built"
sample=traces/samples/walk.kmt
[ -r "$sample" ] || skip_all "no sample capture lies in traces/samples"
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cp "$sample" "$dir/t.kmt"

shell() { # FILE STATEMENT; "" is no file
	sqlite3 -tabs ${1:+"$1"} 2>&1 <<-END
		.load $extension
		$2;
	END
}

while read -r statement; do
	is "$(shell "$dir/t.kmt" "$statement")" "$("$kmlab" sql -f tsv "$dir/t.kmt" "$statement" | tail -n +2)" "$statement"
done <<-'END'
	SELECT kind, count(*), sum(bytes_alloc) FROM event GROUP BY 1
	SELECT time_ns, cpu, seq, ptr, site, comm FROM event WHERE cache = 'dentry' LIMIT 20
	SELECT free_kind, kind, count(*), sum(bytes_req) FROM object GROUP BY 1, 2
	SELECT name, count(*) FROM event JOIN site ON site.name = event.site WHERE kind = 'kmalloc' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 9
	SELECT tid, comm, count(*) FROM object JOIN task ON tid = alloc_tid AND comm = alloc_comm GROUP BY 1, 2 ORDER BY 3 DESC, 1 LIMIT 5
	SELECT cache.name, object_size, count(*) FROM object JOIN cache ON cache.name = object.cache GROUP BY 1 ORDER BY 3 DESC, 1 LIMIT 5
	SELECT phase, source, substr(text, 1, 40) FROM snapshot WHERE source = '/proc/buddyinfo' AND phase IN ('start', 'end')
	SELECT e.kind, o.free_kind FROM event e JOIN object o ON o.alloc_ns = e.time_ns WHERE e.time_ns < 40000000 LIMIT 9
END
is "$("$kmlab" sql -q -f tsv "$dir/t.kmt" "SELECT count(*) FROM snapshot WHERE typeof(text) != 'text' OR length(CAST(text AS BLOB)) != bytes" | tail -1)" 0 "snapshots are texts, whole"
is "$("$kmlab" sql -q -f tsv "$dir/t.kmt" "SELECT count(*) FROM event WHERE site NOT IN (SELECT name FROM site WHERE name IS NOT NULL)" | tail -1)" 0 "every call site has its row"
shell "" "SELECT count(*) FROM event" >"$dir/none"
like "$dir/none" 'no trace is open; open one before: sqlite3 T.kmt' "without a trace it says how to open one"
sqlite3 "$dir/other.db" "CREATE TABLE a(b)"
shell "$dir/other.db" "SELECT 1" >"$dir/other"
like "$dir/other" 'other.db is not a kmlab trace' "another database is refused"
is "$(shell "$dir/t.kmt" "DELETE FROM event" | grep -c 'may not be modified')" 1 "the tables cannot be written"
done_testing
