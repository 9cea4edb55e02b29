//! The corpus of `tests/canaries`, held by the program: it is there wherever the program is.

/// Names each canary once.
macro_rules! corpus {
    ($($name:literal)*) => {
        /// All canaries: name and `canary.toml`. Mutants, then good ones, then replays of incidents.
        pub const CORPUS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../tests/canaries/", $name, "/canary.toml")))),*];
    };
}

/// Names each parent once, with its files.
macro_rules! parents {
    ($($name:literal $folder:literal: $($file:literal)*;)*) => {
        /// The recipes that canaries are made from: name, and the texts of its files.
        pub const PARENTS: &[(&str, &[(&str, &str)])] =
            &[$(($name, &[$(($file, include_str!(concat!("../../../tests/", $folder, "/", $file)))),*])),*];
    };
}

parents! {
    "bare" "canaries/parents/bare": ".env.sample" "compose.yml";
    "good" "recipes/good": ".env.sample" "README.md" "compose.yml";
    "notes" "recipes/notes":
        ".env.sample" "README.md" "abra.sh" "app.conf.tmpl" "compose.postgres.yml" "compose.smtp.yml" "compose.yml" "pg_backup.sh";
}

corpus! {
    "crash-loop"
    "database-host-misspelt"
    "worker-below-it-loops"
    "command-not-found"
    "migration-fails"
    "app-returns-at-once"
    "start-period-too-short"
    "healthcheck-without-curl"
    "out-of-memory"
    "image-tag-missing"
    "image-name-misspelt"
    "no-node-with-the-label"
    "port-of-the-proxy"
    "secret-nobody-made"
    "config-nobody-made"
    "network-nobody-made"
    "path-not-there"
    "docker-socket"
    "rule-without-front-page"
    "port-nobody-listens-on"
    "not-on-the-proxys-network"
    "front-page-broken"
    "stylesheet-missing"
    "config-file-missing"
    "config-changed-under-its-name"
    "variable-without-default"
    "upgrade-exits"
    "upgrade-stops-half-way"
    "volume-renamed"
    "only-upgrades"
    "only-installs"
    "migration-drops-the-table"
    "operators-keep-the-old-title"
    "backup-hook-leaves-nothing"
    "restore-hook-fails"
    "dump-of-another-database"
    "restore-has-no-place"
    "backup-hook-stops-the-database"
    "page-without-its-title"
    "tests-file-misspelt"
    "waits-for-its-database"
    "waits-without-a-healthcheck"
    "one-shots"
    "switched-off"
    "twins-and-everywhere"
    "slow-boot"
    "rolling-update"
    "host-mode-port"
    "several-networks"
    "no-page"
    "database-with-data"
    "secret-added"
    "service-removed"
    "asks-who-you-are"
    "talks-a-lot"
    "healthy-between-exits"
    "old-task-still-runs"
    "one-shot-finished"
    "quick-task"
    "missing-image-not-reported"
    "zero-never-converges"
    "base-rotted"
    "same-version-upgraded"
    "killed-while-initialising"
    "exits-then-runs"
}
