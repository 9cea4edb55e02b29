-- Runs and what became of them. Instants are epoch milliseconds; one state column per row, checked.

CREATE TABLE run (
    id          TEXT PRIMARY KEY,
    number      INTEGER NOT NULL UNIQUE,     -- what people call it: run 231
    state       TEXT NOT NULL CHECK (state IN ('fetching', 'queued', 'running', 'done')),
    cause       TEXT NOT NULL CHECK (cause IN ('command_line', 'pull_request', 'post_merge', 'sweep')),
    recipe      TEXT NOT NULL,
    repository  TEXT,                        -- owner/name on the forge
    pull        INTEGER,                     -- number of the pull request
    head        TEXT,                        -- commit under test, frozen when the run was asked for
    asked_by    TEXT,                        -- who asked, by login
    options     TEXT NOT NULL,               -- JSON: the options of the command
    attempt     INTEGER NOT NULL DEFAULT 1,  -- 2: tried again after an infra finding
    weight      INTEGER NOT NULL DEFAULT 1,  -- capacity units
    ports       TEXT NOT NULL DEFAULT '[]',  -- JSON: host ports that it publishes
    images      TEXT NOT NULL DEFAULT '[]',  -- JSON: images that it needs
    queued_at   INTEGER NOT NULL,
    target      TEXT,                        -- from here on: known when it starts
    stack       TEXT,
    plan        TEXT,                        -- JSON: the frozen inputs
    protocol    INTEGER,                     -- of the runner that belongs to it
    started_at  INTEGER,
    cancelled   TEXT,                        -- why, when it was cancelled
    verdict     TEXT CHECK (verdict IN ('green', 'red', 'not_judged')),
    sentence    TEXT,                        -- the verdict in one sentence
    level       INTEGER,
    results     TEXT,                        -- JSON: results.json
    finished_at INTEGER,
    CHECK ((state = 'done') = (verdict IS NOT NULL)),
    CHECK ((state = 'running') <= (plan IS NOT NULL AND target IS NOT NULL AND stack IS NOT NULL AND protocol IS NOT NULL))
) STRICT;

CREATE INDEX run_by_state ON run (state, queued_at);
CREATE INDEX run_by_recipe ON run (recipe, number);
CREATE INDEX run_by_pull ON run (repository, pull, number);
CREATE INDEX run_by_end ON run (finished_at);

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
