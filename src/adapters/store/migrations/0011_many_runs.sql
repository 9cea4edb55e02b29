-- A gate that has judged 100,000 runs answers as one that has judged ten: each question of a page or a loop has its index.

DROP INDEX run_by_end;
CREATE INDEX run_by_end ON run (finished_at, number);             -- what ended last, page by page
DROP INDEX run_by_pull;
CREATE INDEX run_by_pull ON run (repository COLLATE NOCASE, pull, number);
CREATE INDEX run_of_pulls ON run (recipe, repository, pull, number) WHERE pull IS NOT NULL;
CREATE INDEX run_by_verdict ON run (recipe, verdict, number);     -- the last green one
-- The last that says something of its recipe; one of the default branch before one of a pull request.
CREATE INDEX run_judged ON run (recipe, cause IN ('post_merge', 'sweep'), number) WHERE verdict IN ('green', 'red');
-- How long the last judged ones of a recipe took. It holds all that is asked: behind `results` a row is long to read.
CREATE INDEX run_timed ON run (recipe, number, verdict, started_at, finished_at, id) WHERE verdict IN ('green', 'red') AND started_at IS NOT NULL;
CREATE INDEX run_on_target ON run (target, finished_at) WHERE state = 'done';
CREATE INDEX run_by_comment ON run (comment) WHERE comment IS NOT NULL;
CREATE INDEX run_of_sweep ON run (sweep) WHERE sweep IS NOT NULL;
CREATE INDEX inbox_by_pull ON inbox (repository, pull);
CREATE INDEX outbox_given_up ON outbox (key) WHERE state = 'given_up';

-- How many runs have ended with each verdict, counted when they end.
CREATE TABLE tally (
    verdict TEXT PRIMARY KEY CHECK (verdict IN ('green', 'red', 'not_judged')),
    runs    INTEGER NOT NULL,
    took_ms INTEGER NOT NULL                 -- together, from start to end
) STRICT;

INSERT INTO tally (verdict, runs, took_ms)
    SELECT verdict, count(*), sum(finished_at - coalesce(started_at, finished_at)) FROM run WHERE verdict IS NOT NULL GROUP BY verdict;

-- A verdict is given once and stays.
CREATE TRIGGER run_ends AFTER UPDATE OF verdict ON run WHEN OLD.verdict IS NULL AND NEW.verdict IS NOT NULL BEGIN
    INSERT INTO tally (verdict, runs, took_ms) VALUES (NEW.verdict, 1, NEW.finished_at - coalesce(NEW.started_at, NEW.finished_at))
        ON CONFLICT (verdict) DO UPDATE SET runs = runs + 1, took_ms = took_ms + excluded.took_ms;
END;
