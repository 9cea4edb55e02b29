-- What a run reports stands apart from the run: a page of thirty runs reads thirty short rows.

CREATE TABLE report (
    run       TEXT PRIMARY KEY REFERENCES run (id) ON DELETE CASCADE,
    results   TEXT NOT NULL,                 -- JSON: results.json
    signature TEXT                           -- of `results`, byte for byte as they are stored here
) STRICT;

INSERT INTO report (run, results, signature)
    SELECT id, results, signature FROM run WHERE results IS NOT NULL AND results <> 'null';

ALTER TABLE run ADD COLUMN version TEXT NOT NULL DEFAULT '';    -- the version label of what was tested
UPDATE run SET version = coalesce(json_extract(results, '$.recipe.head.version'), '') WHERE json_valid(results);

ALTER TABLE run DROP COLUMN results;
ALTER TABLE run DROP COLUMN signature;
