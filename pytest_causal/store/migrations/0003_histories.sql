-- Schema 3: what running states have in common is stored once.

-- What running states hold but for whose they are and when these last ran. Most of a suite share a few: a store of
-- 10,000 scenarios reads and writes 10,000 short rows, and a few long ones.
CREATE TABLE histories (
    id INTEGER PRIMARY KEY,           -- given out in order of storing; those that nothing refers to are swept now and then
    verdict TEXT NOT NULL,            -- what was last concluded
    commit_seen TEXT NOT NULL,        -- newest clean commit
    last_session INTEGER NOT NULL,    -- number of the newest session of the newest unit
    numbers BLOB NOT NULL             -- all others, as pytest_causal/store/states.py packs them
) STRICT;

-- Running states: what decisions are made from. Each can be recomputed from the runs.
CREATE TABLE running_states (
    criteria_id INTEGER NOT NULL REFERENCES criteria (id), -- that the numbers depend on
    scenario_id INTEGER NOT NULL REFERENCES scenarios (id), -- never an alias
    reads_id INTEGER NOT NULL,        -- 0: the runs took nothing
    history_id INTEGER NOT NULL REFERENCES histories (id), -- everything else
    last_run_us INTEGER NOT NULL,     -- when the last run began, microseconds since the epoch, UTC
    PRIMARY KEY (criteria_id, scenario_id, reads_id)
) STRICT, WITHOUT ROWID;

-- The time of the last run stood among the packed numbers, from the 169th byte on: eight bytes, the lowest first.
CREATE TABLE unpacked AS
SELECT criteria_id, scenario_id, reads_id, verdict, commit_seen, last_session, numbers, time,
       dense_rank() OVER (ORDER BY verdict, commit_seen, last_session, numbers) AS history_id
FROM (
    SELECT criteria_id, scenario_id, reads_id, verdict, commit_seen, last_session,
           CAST(substr(state, 1, 168) || substr(state, 177) AS BLOB) AS numbers, hex(substr(state, 169, 8)) AS time
    FROM evidence
);

INSERT INTO histories SELECT DISTINCT history_id, verdict, commit_seen, last_session, numbers FROM unpacked;

-- Each byte is two digits, the higher one first.
INSERT INTO running_states
SELECT criteria_id, scenario_id, reads_id, history_id, (
    SELECT sum((instr('0123456789ABCDEF', substr(time, 1 + value, 1)) - 1) << (8 * (value / 2) + 4 * (1 - value % 2)))
    FROM json_each('[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]')
)
FROM unpacked;

DROP TABLE unpacked;

DROP TABLE evidence;
