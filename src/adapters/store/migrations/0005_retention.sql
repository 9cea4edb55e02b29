-- Only the newest runs keep their log and report; of the others it is known when those were removed.

ALTER TABLE run ADD COLUMN files_removed_at INTEGER;

CREATE INDEX run_with_files ON run (number) WHERE state = 'done' AND files_removed_at IS NULL;
