-- What passed on a second try: the flake ledger. It turns nothing red, and nobody should have to remember it.

CREATE TABLE flake (
    number INTEGER PRIMARY KEY,              -- in the order in which they came
    run    TEXT NOT NULL,                    -- the run that saw it
    recipe TEXT NOT NULL,
    stage  TEXT NOT NULL,
    what   TEXT NOT NULL,                    -- a sentence; untrusted
    at     INTEGER NOT NULL,
    UNIQUE (run, stage, what)
) STRICT;
CREATE INDEX flake_recipe ON flake (recipe, number);
