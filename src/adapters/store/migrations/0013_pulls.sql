-- The last run of each pull request, kept when one is added: a recipe may have had thousands.

CREATE TABLE pull_request (
    recipe     TEXT NOT NULL,
    repository TEXT NOT NULL,                -- owner/name on the forge
    pull       INTEGER NOT NULL,             -- its number there
    last       INTEGER NOT NULL,             -- number of its last run
    PRIMARY KEY (recipe, repository, pull)
) STRICT, WITHOUT ROWID;

INSERT INTO pull_request (recipe, repository, pull, last)
    SELECT recipe, repository, pull, max(number) FROM run WHERE pull IS NOT NULL AND repository IS NOT NULL GROUP BY recipe, repository, pull;

CREATE INDEX pull_request_by_last ON pull_request (recipe, last);
DROP INDEX run_of_pulls;

CREATE TRIGGER run_of_pull AFTER INSERT ON run WHEN NEW.pull IS NOT NULL AND NEW.repository IS NOT NULL BEGIN
    INSERT INTO pull_request (recipe, repository, pull, last) VALUES (NEW.recipe, NEW.repository, NEW.pull, NEW.number)
        ON CONFLICT (recipe, repository, pull) DO UPDATE SET last = max(last, excluded.last);
END;
