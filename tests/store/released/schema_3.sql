PRAGMA application_id=1130460531;
PRAGMA journal_mode=WAL;
BEGIN TRANSACTION;
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,       -- from 1, without gaps
    document TEXT NOT NULL,           -- JSON: who, when, what, why, and everything that the decision was made from
    hash TEXT NOT NULL                -- SHA-256 of the hash before and the document
) STRICT;
CREATE TABLE causes (
    run_id INTEGER PRIMARY KEY REFERENCES runs (id), -- that it is the cause of
    phase TEXT NOT NULL,              -- collect, setup, call, teardown or empty
    type TEXT NOT NULL,               -- qualified name of the exception, xpassed(strict), or empty
    message TEXT NOT NULL             -- capped and redacted
) STRICT;
INSERT INTO "causes" VALUES(2,'call','AssertionError','assert 1 == 2');
INSERT INTO "causes" VALUES(5,'call','ValueError','\:no \u0000 number');
INSERT INTO "causes" VALUES(6,'setup','','not here');
CREATE TABLE criteria (
    id INTEGER PRIMARY KEY,           -- from 1, in order of storing
    name TEXT NOT NULL UNIQUE         -- the state key of the criteria
) STRICT;
INSERT INTO "criteria" VALUES(1,'key');
CREATE TABLE histories (
    id INTEGER PRIMARY KEY,           -- given out in order of storing; those that nothing refers to are swept now and then
    verdict TEXT NOT NULL,            -- what was last concluded
    commit_seen TEXT NOT NULL,        -- newest clean commit
    last_session INTEGER NOT NULL,    -- number of the newest session of the newest unit
    numbers BLOB NOT NULL             -- all others, as pytest_causal/store/states.py packs them
) STRICT;
INSERT INTO "histories" VALUES(1,'not_yet','4f2a9d0c',1,X'01000000000000000000000000000000000000000000000000000000010000000000000000000000000000000000F03F000000000000E03F59F3F8C21F6EA5010000000000001040000000000000144000000000000018400000000000001C40000000000000F03F00000000000000400000000000000840000000000000104000000000000014400000000000000000000000000000000001000000000000000000000000000000010000000000000000');
INSERT INTO "histories" VALUES(2,'not_yet','4f2a9d0c',1,X'00000000000000000000000000000000000000000000000000000000010000000000000000000000000000000000F03F000000000000E03F59F3F8C21F6EA5010000000000001040000000000000144000000000000018400000000000001C40000000000000F03F00000000000000400000000000000840000000000000104000000000000014400000000000000000000000000000000001000000000000000000000000000000010000000000000000');
CREATE TABLE lessons (
    id INTEGER PRIMARY KEY,           -- from 1, shown as L-1
    signature TEXT NOT NULL UNIQUE,   -- the same for the same failure
    document TEXT NOT NULL            -- JSON, as pytest_causal/store/promotion_rows.py writes it
) STRICT;
CREATE TABLE live (
    revision INTEGER NOT NULL,        -- of the override file; 0 before the first change
    fingerprint TEXT NOT NULL,        -- of the values
    document TEXT NOT NULL,           -- JSON {"values": {path: value}, "entries": {path: who set it}}
    before_revision INTEGER NOT NULL, -- what the file held before it was to hold this
    before_fingerprint TEXT NOT NULL, -- the same
    audited INTEGER NOT NULL,         -- highest audit.number
    audit_hash TEXT NOT NULL          -- its hash: rows cut off at the end are missed
) STRICT;
INSERT INTO "live" VALUES(0,'','{}',0,'',0,'');
CREATE TABLE metric_names (
    id INTEGER PRIMARY KEY,           -- from 1, in order of storing
    name TEXT NOT NULL UNIQUE         -- stored as names of scenarios are
) STRICT;
INSERT INTO "metric_names" VALUES(1,'ratio');
INSERT INTO "metric_names" VALUES(2,'latency_ms');
CREATE TABLE metric_standings (
    scenario_id INTEGER NOT NULL REFERENCES scenarios (id), -- never an alias
    reads_id INTEGER NOT NULL,        -- 0: the runs took nothing
    name_id INTEGER NOT NULL REFERENCES metric_names (id), -- what it is called
    measured INTEGER NOT NULL,        -- runs that reported a finite number
    broken INTEGER NOT NULL,          -- runs that reported something else
    total REAL NOT NULL,              -- sum of the finite numbers
    PRIMARY KEY (scenario_id, reads_id, name_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "metric_standings" VALUES(3,1,1,0,1,0.0);
INSERT INTO "metric_standings" VALUES(3,1,2,1,0,12.5);
CREATE TABLE metrics (
    run_id INTEGER NOT NULL REFERENCES runs (id), -- that reported it
    place INTEGER NOT NULL,           -- from 0
    name_id INTEGER NOT NULL REFERENCES metric_names (id), -- what it is called
    value REAL,                       -- NULL unless kind is number
    kind TEXT NOT NULL,               -- number, nan, inf, -inf or other
    PRIMARY KEY (run_id, place)
) STRICT, WITHOUT ROWID;
INSERT INTO "metrics" VALUES(4,0,2,12.5,'number');
INSERT INTO "metrics" VALUES(4,1,1,NULL,'nan');
CREATE TABLE nodes (
    id INTEGER PRIMARY KEY,           -- from 1, in order of storing
    name TEXT NOT NULL UNIQUE         -- stored as names of scenarios are
) STRICT;
INSERT INTO "nodes" VALUES(1,'tests/test_a.py::test_x[1]');
CREATE TABLE origin (
    uid TEXT NOT NULL,                -- random
    writes INTEGER NOT NULL           -- transactions so far
) STRICT;
INSERT INTO "origin" VALUES('67311aa6d0c592685cfb985f6ab19c65',10);
CREATE TABLE promotions (
    id INTEGER PRIMARY KEY,           -- from 1, shown as P-1
    name TEXT NOT NULL,               -- of the rule that proposed it
    state TEXT NOT NULL,              -- proposed, trial, eligible, provisional, validated, reverted, ...
    changed_us INTEGER NOT NULL,      -- when it came into this state, microseconds since the epoch, UTC
    document TEXT NOT NULL            -- JSON, as pytest_causal/store/promotion_rows.py writes it
) STRICT;
CREATE TABLE read_leaves (
    reads_id INTEGER NOT NULL REFERENCES reads (id), -- the set that it is in
    path TEXT NOT NULL,               -- dotted
    value TEXT NOT NULL,              -- canonical JSON
    how TEXT NOT NULL,                -- tracked, observed or declared
    PRIMARY KEY (reads_id, path)
) STRICT, WITHOUT ROWID;
INSERT INTO "read_leaves" VALUES(1,'standard.max_wall_time_ms','30000','tracked');
INSERT INTO "read_leaves" VALUES(1,'standard.mode','"fast"','declared');
CREATE TABLE reads (
    id INTEGER PRIMARY KEY,           -- from 1, in order of storing
    digest TEXT NOT NULL UNIQUE       -- SHA-256 of the leaves as canonical JSON
) STRICT;
INSERT INTO "reads" VALUES(1,'bdb03885eefee87f98ed20fbc5b43473d54d092327694a1bf45383e61d091074');
CREATE TABLE running_states (
    criteria_id INTEGER NOT NULL REFERENCES criteria (id), -- that the numbers depend on
    scenario_id INTEGER NOT NULL REFERENCES scenarios (id), -- never an alias
    reads_id INTEGER NOT NULL,        -- 0: the runs took nothing
    history_id INTEGER NOT NULL REFERENCES histories (id), -- everything else
    last_run_us INTEGER NOT NULL,     -- when the last run began, microseconds since the epoch, UTC
    PRIMARY KEY (criteria_id, scenario_id, reads_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "running_states" VALUES(1,1,0,1,1763700000001000);
INSERT INTO "running_states" VALUES(1,2,0,1,1763700000003000);
INSERT INTO "running_states" VALUES(1,3,1,1,1763700000004000);
INSERT INTO "running_states" VALUES(1,4,0,2,0);
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
INSERT INTO "runs" VALUES(1,1,1,0,'passed',0,1763700000001000,0.001,0.25,0.0,1,1,0,0,'gw0','');
INSERT INTO "runs" VALUES(2,1,2,0,'failed',1,1763700000002000,0.001,0.25,0.0,1,1,1,0,'gw1','');
INSERT INTO "runs" VALUES(3,1,2,0,'passed',0,1763700000003000,0.001,0.25,0.0,2,1,0,0,'gw1','');
INSERT INTO "runs" VALUES(4,1,3,0,'passed',0,1763700000004000,0.001,0.25,0.0,1,1,0,1,'','');
INSERT INTO "runs" VALUES(5,1,4,0,'error',2,1763700000005000,0.001,0.25,0.0,1,1,0,0,'','');
INSERT INTO "runs" VALUES(6,1,5,0,'skipped',1,1763700000006000,0.001,0.25,0.0,1,1,0,0,'','');
INSERT INTO "runs" VALUES(7,2,1,0,'passed',0,1763700000009000,0.001,0.25,0.0,1,1,0,0,'','');
INSERT INTO "runs" VALUES(8,2,6,1,'passed',0,1763700000010000,0.001,0.25,0.0,1,1,0,0,'','candidate:fast');
INSERT INTO "runs" VALUES(9,3,1,0,'crashed',0,1763700000014000,0.001,0.25,0.0,1,1,0,0,'','');
CREATE TABLE scenarios (
    id INTEGER PRIMARY KEY,           -- from 1, in order of storing
    name TEXT NOT NULL UNIQUE,        -- at most 512 characters, or 512 and a hash
    alias_of INTEGER REFERENCES scenarios (id), -- the scenario that this is another name of, never itself an alias
    aliased_us INTEGER,               -- when that was declared, microseconds since the epoch, UTC
    first_session INTEGER REFERENCES sessions (number),   -- that made it; NULL if it was declared first
    first_concluded INTEGER REFERENCES sessions (number), -- first session to count for it; NULL before
    declaration TEXT                  -- JSON {"tags": [...], "criteria": {...}}; NULL where nothing is declared
) STRICT;
INSERT INTO "scenarios" VALUES(1,'tests/test_a.py::test_plain',NULL,NULL,1,1,NULL);
INSERT INTO "scenarios" VALUES(2,'tests/test_a.py::test_flaky',NULL,NULL,1,1,NULL);
INSERT INTO "scenarios" VALUES(3,'tests/test_a.py::test_measured',NULL,NULL,1,1,NULL);
INSERT INTO "scenarios" VALUES(4,'\:tests/test_a.py::test_odd\\x00[\udcff]',NULL,NULL,1,1,NULL);
INSERT INTO "scenarios" VALUES(5,'tests/test_a.py::test_old',6,1763700000012000,1,1,NULL);
INSERT INTO "scenarios" VALUES(6,'renamed',NULL,NULL,1,1,'{"criteria": {"min_runs": 5}, "tags": ["soak"]}');
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
INSERT INTO "sessions" VALUES(1,'first','github:77:1',1,'finished','pytest',1763700000000000,1763700000007000,1,'','4f2a9d0c','main',0,'github','77','1','test',1,'3.11.7','Linux','runner-1','17:4242','0.1.0','9.0.2',2,'','',1,6,6);
INSERT INTO "sessions" VALUES(2,'second','second',2,'interrupted','pytest',1763700000008000,1763700000011000,2,'','','main',1,'','','','',1,'3.11.7','Linux','runner-1','17:4242','0.1.0','9.0.2',0,'','',7,8,2);
INSERT INTO "sessions" VALUES(3,'third','third',NULL,'running','pytest',1763700000013000,0,NULL,'','','main',NULL,'','','','',0,'3.11.7','Linux','runner-1','17:4242','0.1.0','9.0.2',0,'','',9,9,1);
CREATE INDEX sessions_by_key ON sessions (key);
CREATE INDEX sessions_running ON sessions (host) WHERE state = 'running';
CREATE INDEX scenarios_aliases ON scenarios (alias_of) WHERE alias_of IS NOT NULL;
PRAGMA user_version=3;
COMMIT;
