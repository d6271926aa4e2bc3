-- SPDX-License-Identifier: GPL-2.0-only
-- The result file (.kmr). application_id 'kmlr', user_version 1.
-- Numbers are kept beside what they were measured on; what was not measured has no row (or NULL in
-- a series), never 0. What an older file lacks is added when runs are.

-- One trace (or scenario) that runs refer to.
CREATE TABLE IF NOT EXISTS trace (
  id    INTEGER PRIMARY KEY,
  uuid  TEXT NOT NULL UNIQUE,          -- identity of the capture
  path  TEXT NOT NULL                  -- file name as given to replay
) STRICT;

-- Provenance of a trace: kernel, cpus, command, losses, coverage, repair decisions, fidelity.
CREATE TABLE IF NOT EXISTS trace_fact (
  trace INTEGER NOT NULL REFERENCES trace(id) ON DELETE CASCADE,
  key   TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (trace, key)
) STRICT, WITHOUT ROWID;

-- Distributions of the trace itself: size_req, size_alloc, lifetime_ns, lifetime_page_ns.
CREATE TABLE IF NOT EXISTS trace_hist (
  trace INTEGER NOT NULL REFERENCES trace(id) ON DELETE CASCADE,
  name  TEXT NOT NULL,
  unit  TEXT NOT NULL,
  total INTEGER NOT NULL,              -- number of values
  data  BLOB NOT NULL,                 -- as in hist.data
  PRIMARY KEY (trace, name)
) STRICT, WITHOUT ROWID;

-- One replay of one trace through one machine.
CREATE TABLE IF NOT EXISTS run (
  id     INTEGER PRIMARY KEY,
  trace  INTEGER NOT NULL REFERENCES trace(id) ON DELETE CASCADE,
  model  TEXT NOT NULL,                -- as given: slub, slub@6.1, kvmalloc:65536
  params TEXT NOT NULL CHECK (json_valid(params)), -- JSON object, keys sorted
  seed   INTEGER NOT NULL,
  rep    INTEGER NOT NULL,             -- repetition, from 0
  UNIQUE (trace, model, params, seed, rep)
) STRICT;

-- A run that could not be made, until it is.
CREATE TABLE IF NOT EXISTS failure (
  trace  INTEGER NOT NULL REFERENCES trace(id) ON DELETE CASCADE,
  model  TEXT NOT NULL,
  params TEXT NOT NULL CHECK (json_valid(params)),
  seed   INTEGER NOT NULL,
  rep    INTEGER NOT NULL,
  why    TEXT NOT NULL,                -- one sentence
  PRIMARY KEY (trace, model, params, seed, rep)
) STRICT, WITHOUT ROWID;

-- A number measured or computed in a run.
CREATE TABLE IF NOT EXISTS metric (
  run    INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  name   TEXT NOT NULL,                -- latency_ns.alloc.p99, pages.peak ...
  unit   TEXT NOT NULL,
  value  REAL NOT NULL,
  timing INTEGER NOT NULL CHECK (timing IN (0, 1)), -- 1: may differ between equal runs
  PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

-- A text fact of a run: method, start_state, tlb.source, why something was not measured; of what was
-- timed, where: host.name, host.cpu, host.kernel, and workers, how many runs were made at once.
CREATE TABLE IF NOT EXISTS note (
  run  INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

-- A whole log-linear histogram (engine/include/kmlab/hist.h).
CREATE TABLE IF NOT EXISTS hist (
  run   INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  name  TEXT NOT NULL,                 -- latency_ns.alloc, latency_ns.free.le64 ...
  unit  TEXT NOT NULL,
  total INTEGER NOT NULL,              -- number of values
  data  BLOB NOT NULL,                 -- little-endian u64: sum, min, max, then (bucket, count) pairs
  PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

-- A curve over trace time.
CREATE TABLE IF NOT EXISTS series (
  run     INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  name    TEXT NOT NULL,               -- pages, unusable_order9 ...
  unit    TEXT NOT NULL,
  time_ns INTEGER NOT NULL,            -- since the start of the trace
  value   REAL,                        -- NULL: not measured at this point
  PRIMARY KEY (run, name, time_ns)
) STRICT, WITHOUT ROWID;

-- Exact counts of which way calls went (engine/include/kmlab/counters.h).
CREATE TABLE IF NOT EXISTS path (
  run   INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  name  TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;

-- Runs with their headline numbers side by side.
CREATE VIEW IF NOT EXISTS run_wide AS
SELECT run.id, trace.path AS trace, run.model, run.params, run.seed, run.rep,
  max(CASE WHEN name = 'ops_per_s' THEN value END) AS ops_per_s,
  max(CASE WHEN name = 'latency_ns.alloc.p50' THEN value END) AS alloc_p50_ns,
  max(CASE WHEN name = 'latency_ns.alloc.p99' THEN value END) AS alloc_p99_ns,
  max(CASE WHEN name = 'pages.peak' THEN value END) AS pages_peak
FROM run JOIN trace ON trace.id = run.trace LEFT JOIN metric ON metric.run = run.id
GROUP BY run.id;
