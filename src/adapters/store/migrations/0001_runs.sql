-- Runs and what became of them. Instants are epoch milliseconds; one state column per row, checked.

CREATE TABLE run (
    id          TEXT PRIMARY KEY,
    state       TEXT NOT NULL CHECK (state IN ('running', 'done')),
    recipe      TEXT NOT NULL,
    target      TEXT NOT NULL,
    stack       TEXT NOT NULL,
    plan        TEXT NOT NULL,               -- JSON: the frozen inputs
    protocol    INTEGER NOT NULL,            -- of the runner that belongs to it
    created_at  INTEGER NOT NULL,
    cancelled   TEXT,                        -- why, when it was cancelled
    verdict     TEXT CHECK (verdict IN ('green', 'red', 'not_judged')),
    results     TEXT,                        -- JSON: results.json
    finished_at INTEGER,
    CHECK ((state = 'done') = (verdict IS NOT NULL))
) STRICT;

CREATE TABLE stage (
    run        TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'skipped', 'interrupted')),
    reason     TEXT,                         -- why it was skipped or interrupted
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    PRIMARY KEY (run, name)
) STRICT;

-- A phase is a part of a stage whose time is told apart: pull, converge, floor, …
CREATE TABLE phase (
    run        TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    took_by    TEXT NOT NULL CHECK (took_by IN ('cc-ci', 'docker', 'app')),
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    PRIMARY KEY (run, name)
) STRICT;

CREATE TABLE finding (
    run     TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    seq     INTEGER NOT NULL,
    finding TEXT NOT NULL,                   -- JSON
    PRIMARY KEY (run, seq)
) STRICT;

-- What a stage learnt and a later one, or a later process, needs: the inventory before, the wanted specs, …
CREATE TABLE fact (
    run   TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    key   TEXT NOT NULL,
    value TEXT NOT NULL,                     -- JSON
    PRIMARY KEY (run, key)
) STRICT;
