//! Recipes for tests: those of `tests/recipes`, and small ones made of texts.

use super::RecipeFiles;

/// The files of `tests/recipes/<name>`, built in, because nothing here reads a disk.
macro_rules! shipped {
    ($name:literal, $($path:literal)*) => {
        files(&[$(($path, include_str!(concat!("../../../tests/recipes/", $name, "/", $path)))),*])
    };
}

/// Files for a test: path and text.
pub(crate) fn files(pairs: &[(&str, &str)]) -> RecipeFiles {
    let mut files = RecipeFiles::new();
    for (path, text) in pairs {
        files.add(path, text.as_bytes().to_vec(), false).unwrap();
    }
    files
}

/// Two compose files, a secret, templated configs, a database.
pub(crate) fn notes() -> RecipeFiles {
    shipped!("notes", ".env.sample" "README.md" "abra.sh" "app.conf.tmpl" "compose.postgres.yml" "compose.smtp.yml" "compose.yml" "pg_backup.sh")
}

/// One service with a volume.
pub(crate) fn good() -> RecipeFiles {
    shipped!("good", ".env.sample" "README.md" "compose.yml")
}

/// An app that exits soon after each start, and a database.
pub(crate) fn crash_loop() -> RecipeFiles {
    shipped!("crash-loop", ".env.sample" "README.md" "compose.yml")
}
