//! Which of a recipe's variables may be in the environment of a program that stands beside the Docker socket.
//!
//! `docker stack deploy` interpolates a compose file from its own environment, so the recipe's variables must be there.
//! Some names, though, change what the program itself does: with `LD_PRELOAD`, `DOCKER_CONFIG` or `PATH` a recipe could
//! have its own code run with the socket in reach. Those are left out; the app's own containers still get them.

/// Whole names that change the C library, Go's runtime, the docker CLI or git.
const NAMES: [&str; 19] = [
    "PATH",
    "HOME",
    "USER",
    "GOMAXPROCS",
    "GOMEMLIMIT",
    "SHELL",
    "IFS",
    "ENV",
    "BASH_ENV",
    "TMPDIR",
    "GCONV_PATH",
    "LOCPATH",
    "NLSPATH",
    "TZDIR",
    "HOSTALIASES",
    "RES_OPTIONS",
    "LOCALDOMAIN",
    "GODEBUG",
    "GOTRACEBACK",
];
/// Beginnings of such names.
const BEGINNINGS: [&str; 10] =
    ["LD_", "DOCKER_", "BUILDKIT_", "BUILDX_", "OTEL_", "XDG_", "GLIBC_", "MALLOC_", "GIT_", "SSL_CERT_"];

/// Whether a recipe's variable may be given to the program.
#[must_use]
pub fn may_be_given(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let shape = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && !name.is_empty();
    let changes_program = NAMES.contains(&upper.as_str())
        || BEGINNINGS.iter().any(|beginning| upper.starts_with(beginning))
        || upper.ends_with("_PROXY");
    shape && !changes_program
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_cannot_bring_code_beside_the_socket() {
        for name in [
            "LD_PRELOAD",
            "DOCKER_CONFIG",
            "DOCKER_HOST",
            "PATH",
            "HOME",
            "https_proxy",
            "BASH_ENV",
            "GIT_SSH_COMMAND",
            "A=B",
            "",
        ] {
            assert!(!may_be_given(name), "{name}");
        }
        for name in ["DOMAIN", "STACK_NAME", "TZ", "SECRET_DB_PASSWORD_VERSION", "LETS_ENCRYPT_ENV", "APP_HOME"] {
            assert!(may_be_given(name), "{name}");
        }
    }
}
