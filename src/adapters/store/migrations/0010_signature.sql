-- The signature of `results`, byte for byte as they are stored here: a copy of the database is enough to show both again.

ALTER TABLE run ADD COLUMN signature TEXT;
