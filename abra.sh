# Versions of configs would be exported here; this recipe has none: it is configured by variables and secrets.
