-- Answers are kept by the comment that they answer; a long run's verdict is posted anew, and what waited is removed.

ALTER TABLE run ADD COLUMN comment INTEGER;                       -- the forge's id of the comment that asked
ALTER TABLE run ADD COLUMN post INTEGER NOT NULL DEFAULT 1;       -- which posting of the answer this run has begun with
ALTER TABLE run ADD COLUMN vouched INTEGER NOT NULL DEFAULT 0 CHECK (vouched IN (0, 1));
ALTER TABLE run ADD COLUMN first_try TEXT REFERENCES run (id);    -- the run that this one tries again after an infra finding
ALTER TABLE run ADD COLUMN sweep INTEGER REFERENCES sweep (id);   -- the sweep that it belongs to
-- Whether its end was told: a gate that is killed between the verdict and its answer gives the answer at the next start.
ALTER TABLE run ADD COLUMN answered INTEGER NOT NULL DEFAULT 0 CHECK (answered IN (0, 1));
UPDATE run SET answered = 1 WHERE state = 'done';

CREATE INDEX run_unanswered ON run (number) WHERE state = 'done' AND answered = 0;

CREATE TABLE outbox_new (
    key        TEXT PRIMARY KEY,             -- answer/COMMENT/POST, removal/COMMENT/POST, status/RUN, reaction/COMMENT
    kind       TEXT NOT NULL CHECK (kind IN ('comment', 'status', 'reaction', 'removal')),
    repository TEXT NOT NULL,
    pull       INTEGER NOT NULL,
    content    TEXT NOT NULL,                -- the comment's body; state, description, address and commit of a status; the reaction
    wanted     INTEGER NOT NULL DEFAULT 1,   -- counts up with each change; what is flushed has the same number
    flushed    INTEGER NOT NULL DEFAULT 0,
    remote     INTEGER,                      -- the forge's id of the comment, once it is known
    state      TEXT NOT NULL CHECK (state IN ('open', 'unknown', 'given_up')),
    posted_at  INTEGER,                      -- when it was last sent without an answer that says what became of it
    tries      INTEGER NOT NULL DEFAULT 0,
    next_at    INTEGER NOT NULL DEFAULT 0,
    error      TEXT
) STRICT;
INSERT INTO outbox_new (key, kind, repository, pull, content, wanted, flushed, remote, state, tries, next_at, error)
    SELECT key, kind, repository, pull, content, wanted, flushed, remote, state, tries, next_at, error FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_new RENAME TO outbox;
CREATE INDEX outbox_due ON outbox (next_at) WHERE flushed < wanted AND state <> 'given_up';

-- Webhooks that this gate made, and what tells their secret from another one.
CREATE TABLE hook (
    scope       TEXT NOT NULL,               -- ORGANISATION or OWNER/NAME
    id          INTEGER NOT NULL,            -- the forge's
    fingerprint TEXT NOT NULL,
    PRIMARY KEY (scope, id)
) STRICT;

-- Branch tips and tags as they were last seen: a push to the default branch or a new tag is told by them.
CREATE TABLE reference (
    repository TEXT NOT NULL,
    name       TEXT NOT NULL,                -- refs/heads/…, refs/tags/…
    sha        TEXT NOT NULL,
    seen_at    INTEGER NOT NULL,
    PRIMARY KEY (repository, name)
) STRICT;

-- A sweep runs every enrolled recipe once within its period.
CREATE TABLE sweep (
    id       INTEGER PRIMARY KEY,
    begun_at INTEGER NOT NULL,
    ends_at  INTEGER NOT NULL,               -- by when each recipe has been asked for
    state    TEXT NOT NULL CHECK (state IN ('open', 'done', 'failed')),
    outcome  TEXT                            -- in one sentence
) STRICT;
