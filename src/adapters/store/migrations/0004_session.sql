-- Who is logged in by web, and until when.
CREATE TABLE session (
    id      TEXT PRIMARY KEY,            -- SHA-256 of the cookie's value, hex: the value itself is not stored
    login   TEXT NOT NULL,
    may     TEXT NOT NULL CHECK (may IN ('read', 'member', 'operator')),
    made_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL
) STRICT;
