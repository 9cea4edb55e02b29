-- What the service keeps beside its runs: what it heard, what it has to say, and what people told it.

-- A comment is stored by its forge id before anything acts on it, whoever brought it: poll or webhook, once or often.
CREATE TABLE inbox (
    comment    INTEGER PRIMARY KEY,          -- the forge's id
    repository TEXT NOT NULL,
    pull       INTEGER NOT NULL,
    author     TEXT NOT NULL,
    body       TEXT NOT NULL,
    written_at INTEGER NOT NULL,             -- by the forge
    updated_at INTEGER NOT NULL,
    head       TEXT,                         -- of the pull request when it was written, where that is known
    brought_by TEXT NOT NULL CHECK (brought_by IN ('poll', 'webhook', 'before')),
    seen_at    INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('new', 'settled')),
    outcome    TEXT,                         -- what became of it, in a few words
    run        TEXT REFERENCES run (id),
    CHECK ((state = 'settled') = (outcome IS NOT NULL))
) STRICT;

CREATE INDEX inbox_new ON inbox (seen_at) WHERE state = 'new';

-- What the forge should show. `wanted` counts up with each change; what is flushed has the same number.
CREATE TABLE outbox (
    key        TEXT PRIMARY KEY,             -- comment/RUN, status/RUN, reaction/COMMENT, reply/COMMENT
    kind       TEXT NOT NULL CHECK (kind IN ('comment', 'status', 'reaction')),
    repository TEXT NOT NULL,
    pull       INTEGER NOT NULL,
    content    TEXT NOT NULL,                -- JSON: body, or state and description, or the reaction
    wanted     INTEGER NOT NULL DEFAULT 1,
    flushed    INTEGER NOT NULL DEFAULT 0,
    remote     INTEGER,                      -- the forge's id of the comment, once it is known
    state      TEXT NOT NULL CHECK (state IN ('open', 'unknown', 'given_up')),
    tries      INTEGER NOT NULL DEFAULT 0,
    next_at    INTEGER NOT NULL DEFAULT 0,
    error      TEXT
) STRICT;

CREATE INDEX outbox_due ON outbox (next_at) WHERE flushed < wanted AND state <> 'given_up';

-- Heads of pull requests as they were first seen: a push after a comment is told by them.
CREATE TABLE head (
    repository TEXT NOT NULL,
    pull       INTEGER NOT NULL,
    sha        TEXT NOT NULL,
    seen_at    INTEGER NOT NULL,
    PRIMARY KEY (repository, pull, sha)
) STRICT;

CREATE TABLE cursor (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE target (
    name       TEXT PRIMARY KEY,
    state      TEXT NOT NULL CHECK (state IN ('unknown', 'clean', 'leased', 'dirty', 'quarantined')),
    reason     TEXT NOT NULL,
    heard_at   INTEGER,                      -- when its engine last answered
    changed_at INTEGER NOT NULL
) STRICT;

-- What operators told the gate: pause, drain, a banner.
CREATE TABLE switch (
    name   TEXT PRIMARY KEY CHECK (name IN ('pause', 'drain', 'banner')),
    value  TEXT NOT NULL,
    set_by TEXT NOT NULL,
    set_at INTEGER NOT NULL
) STRICT;

-- Who did what by the web or the API.
CREATE TABLE action (
    seq  INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    who  TEXT NOT NULL,
    what TEXT NOT NULL
) STRICT;
