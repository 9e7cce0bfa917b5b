-- Schema 2: changes of the policy, what was decided of them, and what was learnt.

-- Changes on their way. The columns are what is asked for; the document is the whole.
CREATE TABLE promotions (
    id INTEGER PRIMARY KEY,           -- from 1, shown as P-1
    name TEXT NOT NULL,               -- of the rule that proposed it
    state TEXT NOT NULL,              -- proposed, trial, eligible, provisional, validated, reverted, ...
    changed_us INTEGER NOT NULL,      -- when it came into this state, microseconds since the epoch, UTC
    document TEXT NOT NULL            -- JSON, as pytest_causal/store/promotion_rows.py writes it
) STRICT;

-- What was done and decided, one row each, for ever. Each row's hash covers the row before it.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,       -- from 1, without gaps
    document TEXT NOT NULL,           -- JSON: who, when, what, why, and everything that the decision was made from
    hash TEXT NOT NULL                -- SHA-256 of the hash before and the document
) STRICT;

-- The values above the profile as last audited. One row; the override file is its projection.
CREATE TABLE live (
    revision INTEGER NOT NULL,        -- of the override file; 0 before the first change
    fingerprint TEXT NOT NULL,        -- of the values
    document TEXT NOT NULL,           -- JSON {"values": {path: value}, "entries": {path: who set it}}
    before_revision INTEGER NOT NULL, -- what the file held before it was to hold this
    before_fingerprint TEXT NOT NULL, -- the same
    audited INTEGER NOT NULL,         -- highest audit.number
    audit_hash TEXT NOT NULL          -- its hash: rows cut off at the end are missed
) STRICT;

INSERT INTO live VALUES (0, '', '{}', 0, '', 0, '');

-- What reverts have taught.
CREATE TABLE lessons (
    id INTEGER PRIMARY KEY,           -- from 1, shown as L-1
    signature TEXT NOT NULL UNIQUE,   -- the same for the same failure
    document TEXT NOT NULL            -- JSON, as pytest_causal/store/promotion_rows.py writes it
) STRICT;

-- What metrics came to, by scenario and reads, in sessions that may vouch: running sums, so that no decision scans runs.
CREATE TABLE metric_standings (
    scenario_id INTEGER NOT NULL REFERENCES scenarios (id), -- never an alias
    reads_id INTEGER NOT NULL,        -- 0: the runs took nothing
    name_id INTEGER NOT NULL REFERENCES metric_names (id), -- what it is called
    measured INTEGER NOT NULL,        -- runs that reported a finite number
    broken INTEGER NOT NULL,          -- runs that reported something else
    total REAL NOT NULL,              -- sum of the finite numbers
    PRIMARY KEY (scenario_id, reads_id, name_id)
) STRICT, WITHOUT ROWID;

INSERT INTO metric_standings
SELECT coalesce(scenarios.alias_of, scenarios.id), runs.reads_id, metrics.name_id,
       count(metrics.value), count(*) - count(metrics.value), total(metrics.value)
FROM metrics
JOIN runs ON runs.id = metrics.run_id
JOIN scenarios ON scenarios.id = runs.scenario_id
JOIN sessions ON sessions.number = runs.session
WHERE sessions.state = 'finished' AND sessions.is_trusted = 1 AND sessions.broken = ''
GROUP BY 1, 2, 3;
