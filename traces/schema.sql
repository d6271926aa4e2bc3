-- SPDX-License-Identifier: GPL-2.0-only
-- kmlab trace (.kmt), user_version 2, application_id 'kmlt'. The single source: the build embeds
-- this file. SQLite integers are signed: an address of the upper half reads as a negative number,
-- printf('%x', address) shows it as the kernel would.

-- Facts about the capture, one text per key: kernel, cpus, command, profile, version, host ...
-- The store itself writes three: duration_ns, complete = 1 once the trace was finished, and
-- repair_rules, which rules the counts in table repair were made by (KM_REPAIR_RULES).
CREATE TABLE meta (
	key   TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The events: each row holds up to 65536 consecutive events of one CPU.
CREATE TABLE chunk (
	id        INTEGER PRIMARY KEY,  -- order of writing
	cpu       INTEGER NOT NULL CHECK (cpu BETWEEN 0 AND 65535),
	first_seq INTEGER NOT NULL CHECK (first_seq BETWEEN 0 AND 4294967295), -- others count up
	events    INTEGER NOT NULL CHECK (events BETWEEN 1 AND 65536),
	t_min     INTEGER NOT NULL CHECK (t_min >= 0),     -- ns since the start of the trace
	t_max     INTEGER NOT NULL CHECK (t_max >= t_min), -- inclusive
	kinds     INTEGER NOT NULL CHECK (kinds > 0),      -- bit per kind of event that occurs
	sorted    INTEGER NOT NULL CHECK (sorted IN (0, 1)), -- no time in it steps back
	codec     INTEGER NOT NULL CHECK (codec = 1),      -- traces/codec_format.h
	xxh64     INTEGER NOT NULL,     -- of payload, seed 0
	payload   BLOB NOT NULL
) STRICT;

-- Dictionaries. Row 0 is "unknown" in each but stack, where no row means no stack; ids have no
-- holes.
CREATE TABLE cache (
	id               INTEGER PRIMARY KEY CHECK (id BETWEEN 0 AND 65535),
	name             TEXT NOT NULL,
	object_size      INTEGER NOT NULL, -- bytes; 0 unknown, as for all numbers of this table
	size             INTEGER NOT NULL, -- stride in bytes
	align            INTEGER NOT NULL,
	flags            INTEGER NOT NULL, -- slab_flags_t, the recording kernel's bits
	slab_order       INTEGER NOT NULL, -- this and the next four: /sys/kernel/slab
	objects_per_slab INTEGER NOT NULL,
	min_partial      INTEGER NOT NULL, -- slabs
	cpu_partial      INTEGER NOT NULL, -- objects
	sheaf_capacity   INTEGER NOT NULL, -- objects
	has_geometry     INTEGER NOT NULL, -- 1: the sysfs columns were read
	has_ctor         INTEGER NOT NULL,
	typesafe_by_rcu  INTEGER NOT NULL,
	reclaim_account  INTEGER NOT NULL,
	account          INTEGER NOT NULL,
	cache_dma        INTEGER NOT NULL,
	hwcache_align    INTEGER NOT NULL
) STRICT;

-- Call sites: return addresses.
CREATE TABLE site (
	id      INTEGER PRIMARY KEY CHECK (id BETWEEN 0 AND 4294967295),
	address INTEGER NOT NULL,
	symbol  TEXT NOT NULL,    -- '' not resolved
	offset  INTEGER NOT NULL, -- address - start of the symbol
	module  TEXT NOT NULL     -- '' the kernel image
) STRICT;

CREATE TABLE task (
	id     INTEGER PRIMARY KEY CHECK (id BETWEEN 0 AND 4294967295),
	tid    INTEGER NOT NULL,
	tgid   INTEGER NOT NULL,
	comm   TEXT NOT NULL,
	cgroup INTEGER NOT NULL -- the kernel's id; 0 not recorded. New in version 2
) STRICT;

-- Paths of the cgroups in table task, by the kernel's id. New in version 2.
CREATE TABLE cgroup (
	id   INTEGER PRIMARY KEY,
	path TEXT NOT NULL
) STRICT;

-- Call stacks, in table event as their ids.
CREATE TABLE stack (
	id     INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 4294967295),
	frames BLOB NOT NULL -- ids of table site, 4 bytes little endian each, innermost first
) STRICT;

-- Text files of the machine as they stood.
CREATE TABLE snapshot (
	id      INTEGER PRIMARY KEY,
	phase   TEXT NOT NULL,    -- start, sample, end
	time_ns INTEGER NOT NULL, -- since the start of the trace
	source  TEXT NOT NULL,    -- its path, as /proc/zoneinfo
	bytes   INTEGER NOT NULL CHECK (bytes >= 0), -- of the text
	text    ANY NOT NULL      -- TEXT, or BLOB: one zstd frame of the text
) STRICT;

-- The loss ledger. For every trace: sum(fired) = sum(recorded) + sum(lost) + sum(filtered).
CREATE TABLE gap (
	id        INTEGER PRIMARY KEY,
	cpu       INTEGER NOT NULL CHECK (cpu BETWEEN 0 AND 65535),
	cause     TEXT NOT NULL CHECK (cause IN ('ring_full', 'contended', 'recursion')),
	after_ns  INTEGER NOT NULL, -- the loss lies between these two
	before_ns INTEGER NOT NULL,
	events    INTEGER NOT NULL  -- how many were lost there
) STRICT;

CREATE TABLE counts (
	kind     TEXT PRIMARY KEY,
	fired    INTEGER NOT NULL, -- calls the recorder saw
	recorded INTEGER NOT NULL  -- events in the chunks
) STRICT, WITHOUT ROWID;

CREATE TABLE lost (
	cause TEXT PRIMARY KEY,
	count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE filtered (
	reason TEXT PRIMARY KEY CHECK (reason IN ('null', 'self', 'sampled', 'excluded', 'aged')),
	count  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the repair pass (traces/repair.h) decided over the whole trace; filled at the end.
CREATE TABLE repair (
	name  TEXT PRIMARY KEY,
	count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
