//! Recipes made for one test: a compose file of few lines, in a folder of the recipe's name.

use std::path::{Path, PathBuf};

/// A recipe's folder, gone with the value.
pub(crate) struct Recipe {
    folder: tempfile::TempDir,
    name: &'static str,
}

impl Recipe {
    /// A recipe with these services; the labels of version and backup are put to service `app` by the caller where it
    /// wants them, the networks `proxy` and `internal` and the volumes `data` and `db_data` are declared.
    pub(crate) fn new(name: &'static str, services: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join(name);
        std::fs::create_dir(&place).unwrap();
        let compose = format!("version: \"3.8\"\n\nservices:\n{services}\n{REST}");
        std::fs::write(place.join("compose.yml"), compose).unwrap();
        std::fs::write(place.join(".env.sample"), ENV).unwrap();
        Self { folder, name }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join(self.name)
    }
}

impl AsRef<Path> for Recipe {
    fn as_ref(&self) -> &Path {
        self.folder.path()
    }
}

const ENV: &str =
    "TYPE=test\nDOMAIN=test.example.com\nLETS_ENCRYPT_ENV=production\nSECRET_DB_PASSWORD_VERSION=v1 # length=32\n";

const REST: &str = "
networks:
  proxy:
    external: true
  internal:

volumes:
  data:
  db_data:

secrets:
  db_password:
    external: true
    name: ${STACK_NAME}_db_password_${SECRET_DB_PASSWORD_VERSION}
";

/// The lab's web app as service `name`, with these environment lines and further lines of the service.
pub(crate) fn web(name: &str, environment: &[&str], more: &str) -> String {
    let environment: String = environment.iter().map(|line| format!("      - {line}\n")).collect();
    let environment = if environment.is_empty() { String::new() } else { format!("    environment:\n{environment}") };
    format!("  {name}:\n    image: lab/web:1.0.0\n{environment}    networks: [internal, proxy]\n{more}")
}

/// The lab's database, which needs so many seconds for its first start.
pub(crate) fn slow_database(seconds: u32, healthcheck: &str) -> String {
    format!(
        "  db:
    image: lab/postgres:17
    environment:
      - POSTGRES_USER=notes
      - POSTGRES_DB=notes
      - POSTGRES_PASSWORD_FILE=/run/secrets/db_password
      - LAB_INIT_SECONDS={seconds}
    networks: [internal]
    volumes: [\"db_data:/var/lib/postgresql/data\"]
    secrets: [db_password]
    healthcheck: {healthcheck}
"
    )
}

/// A healthcheck of the web app that is quick to pass.
pub(crate) const HEALTHY: &str = "    healthcheck: {test: [\"CMD\", \"web\", \"healthcheck\"], interval: 1s, timeout: 2s, retries: 3, start_period: 30s}\n";
