-- Versions that were green here, on the default branch or as a release: bases that are known to be good. Append-only, bounded per recipe.

CREATE TABLE canonical (
    number  INTEGER PRIMARY KEY,             -- in the order in which they came
    recipe  TEXT NOT NULL,
    version TEXT NOT NULL,
    head    TEXT NOT NULL,                   -- the commit
    run     TEXT NOT NULL,                   -- the run that was green
    images  TEXT NOT NULL,                   -- JSON: the images as they were resolved, with their digests
    at      INTEGER NOT NULL,
    UNIQUE (recipe, head)
) STRICT;
