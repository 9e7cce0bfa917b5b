-- Schema 1. Released migrations are never edited, comments included: a store is known by this very text.

-- Which store this is. One row, which every transaction changes: so it is in every write-ahead log, and a log that lies
-- beside a store it does not belong to can be told.
CREATE TABLE origin (
    uid TEXT NOT NULL,                -- random
    writes INTEGER NOT NULL           -- transactions so far
) STRICT;

INSERT INTO origin (uid, writes) VALUES (lower(hex(randomblob(16))), 0);

-- One invocation and the facts under which its runs were made.
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY,       -- place in this store, in order of beginning
    uid TEXT NOT NULL UNIQUE,         -- unique for ever: recorded or imported twice is one session
    key TEXT NOT NULL,                -- the unit of evidence; shards of one CI run share it
    ord INTEGER UNIQUE,               -- place in the history, given out when concluded; NULL until then
    state TEXT NOT NULL,              -- running, finished, interrupted or abandoned
    kind TEXT NOT NULL,               -- what ran: pytest, soak, ...
    started_us INTEGER NOT NULL,      -- microseconds since the epoch, UTC
    finished_us INTEGER NOT NULL,     -- the same; 0 while running
    exit_status INTEGER,              -- of the process; NULL where unknown
    broken TEXT NOT NULL,             -- why the session as a whole is no evidence; empty if it is
    commit_id TEXT NOT NULL,          -- of the version control; empty where unknown
    branch TEXT NOT NULL,             -- empty where unknown
    is_dirty INTEGER,                 -- 1 if the working copy differed from the commit; NULL where unknown
    ci_provider TEXT NOT NULL,        -- empty outside CI
    ci_run TEXT NOT NULL,             -- empty outside CI
    ci_attempt TEXT NOT NULL,         -- empty outside CI
    ci_job TEXT NOT NULL,             -- empty outside CI
    is_trusted INTEGER NOT NULL,      -- 0 for code from outside: recorded, never counted
    python TEXT NOT NULL,             -- version
    platform TEXT NOT NULL,           -- operating system and machine
    host TEXT NOT NULL,               -- name of the machine
    process TEXT NOT NULL,            -- PID:START of the recording process
    plugin_version TEXT NOT NULL,     -- of pytest-causal
    pytest_version TEXT NOT NULL,     -- empty for other kinds
    workers INTEGER NOT NULL,         -- xdist workers; 0 where not distributed
    profile TEXT NOT NULL,            -- policy profile in force
    policy_fingerprint TEXT NOT NULL, -- of the policy in force
    first_run INTEGER,                -- lowest runs.id of this session; NULL before the first run
    last_run INTEGER,                 -- highest; the range holds runs of sessions at the same time as well
    runs INTEGER NOT NULL DEFAULT 0   -- how many
) STRICT;

-- Shards of one CI run find each other by their key.
CREATE INDEX sessions_by_key ON sessions (key);

-- Sessions that may have to be concluded for a process that was killed.
CREATE INDEX sessions_running ON sessions (host) WHERE state = 'running';

-- What is being tried. Names are stored as pytest_causal/store/text.py says.
CREATE TABLE scenarios (
    id INTEGER PRIMARY KEY,           -- from 1, in order of storing
    name TEXT NOT NULL UNIQUE,        -- at most 512 characters, or 512 and a hash
    alias_of INTEGER REFERENCES scenarios (id), -- the scenario that this is another name of, never itself an alias
    aliased_us INTEGER,               -- when that was declared, microseconds since the epoch, UTC
    first_session INTEGER REFERENCES sessions (number),   -- that made it; NULL if it was declared first
    first_concluded INTEGER REFERENCES sessions (number), -- first session to count for it; NULL before
    declaration TEXT                  -- JSON {"tags": [...], "criteria": {...}}; NULL where nothing is declared
) STRICT;

-- Other names of a scenario.
CREATE INDEX scenarios_aliases ON scenarios (alias_of) WHERE alias_of IS NOT NULL;

-- Node ids that differ from the name of their scenario.
CREATE TABLE nodes (
    id INTEGER PRIMARY KEY,           -- from 1, in order of storing
    name TEXT NOT NULL UNIQUE         -- stored as names of scenarios are
) STRICT;

-- One execution of a scenario. Narrow and without a second index: appending costs the same at any length. No column
-- may be NULL, because binding None costs Python a quarter of a microsecond.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,           -- in order of storing, without gaps
    session INTEGER NOT NULL REFERENCES sessions (number), -- that ran it
    scenario_id INTEGER NOT NULL REFERENCES scenarios (id), -- the name it ran under, even if that is an alias now
    node_id INTEGER NOT NULL,         -- in nodes; 0 where the node id is the scenario's name
    outcome TEXT NOT NULL,            -- passed failed error skipped xfailed xpassed crashed missing
    cause INTEGER NOT NULL,           -- 0: none; 1: see causes; 2: see causes, and infrastructure is to blame
    started_us INTEGER NOT NULL,      -- microseconds since the epoch, UTC
    setup_seconds REAL NOT NULL,      -- time in the setup phase
    call_seconds REAL NOT NULL,       -- time in the test itself
    teardown_seconds REAL NOT NULL,   -- time in the teardown phase
    attempt INTEGER NOT NULL,         -- counts reruns, from 1
    occurrence INTEGER NOT NULL,      -- tells apart runs of one node id that are not reruns, from 1
    is_superseded INTEGER NOT NULL,   -- 1 if it was rerun
    reads_id INTEGER NOT NULL,        -- what it took from the policy; 0: nothing
    worker TEXT NOT NULL,             -- of xdist; empty where not distributed
    arm TEXT NOT NULL                 -- of a trial; empty for control
) STRICT;

-- Why runs did not simply pass.
CREATE TABLE causes (
    run_id INTEGER PRIMARY KEY REFERENCES runs (id), -- that it is the cause of
    phase TEXT NOT NULL,              -- collect, setup, call, teardown or empty
    type TEXT NOT NULL,               -- qualified name of the exception, xpassed(strict), or empty
    message TEXT NOT NULL             -- capped and redacted
) STRICT;

-- Names under which numbers are reported.
CREATE TABLE metric_names (
    id INTEGER PRIMARY KEY,           -- from 1, in order of storing
    name TEXT NOT NULL UNIQUE         -- stored as names of scenarios are
) STRICT;

-- Numbers that runs reported, in the order in which they did.
CREATE TABLE metrics (
    run_id INTEGER NOT NULL REFERENCES runs (id), -- that reported it
    place INTEGER NOT NULL,           -- from 0
    name_id INTEGER NOT NULL REFERENCES metric_names (id), -- what it is called
    value REAL,                       -- NULL unless kind is number
    kind TEXT NOT NULL,               -- number, nan, inf, -inf or other
    PRIMARY KEY (run_id, place)
) STRICT, WITHOUT ROWID;

-- Sets of policy leaves that runs took; 0, the empty set, is not stored.
CREATE TABLE reads (
    id INTEGER PRIMARY KEY,           -- from 1, in order of storing
    digest TEXT NOT NULL UNIQUE       -- SHA-256 of the leaves as canonical JSON
) STRICT;

-- The leaves in each of these sets.
CREATE TABLE read_leaves (
    reads_id INTEGER NOT NULL REFERENCES reads (id), -- the set that it is in
    path TEXT NOT NULL,               -- dotted
    value TEXT NOT NULL,              -- canonical JSON
    how TEXT NOT NULL,                -- tracked, observed or declared
    PRIMARY KEY (reads_id, path)
) STRICT, WITHOUT ROWID;

-- The criteria under which running states are kept.
CREATE TABLE criteria (
    id INTEGER PRIMARY KEY,           -- from 1, in order of storing
    name TEXT NOT NULL UNIQUE         -- the state key of the criteria
) STRICT;

-- Running states: what decisions are made from. Each can be recomputed from the runs. The numbers are packed, since
-- handing over 22 columns one by one takes four times as long, and all states are read for every decision.
CREATE TABLE evidence (
    criteria_id INTEGER NOT NULL REFERENCES criteria (id), -- that the numbers depend on
    scenario_id INTEGER NOT NULL REFERENCES scenarios (id), -- never an alias
    reads_id INTEGER NOT NULL,        -- 0: the runs took nothing
    verdict TEXT NOT NULL,            -- what was last concluded
    commit_seen TEXT NOT NULL,        -- newest clean commit
    last_session INTEGER NOT NULL,    -- number of the newest session of the newest unit
    state BLOB NOT NULL,              -- all other numbers, as pytest_causal/store/rows.py packs them
    PRIMARY KEY (criteria_id, scenario_id, reads_id)
) STRICT, WITHOUT ROWID;
