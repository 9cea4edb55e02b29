//! A neighbour on the target: what somebody else has there.

use super::{Lab, until};

/// What a neighbour has on the target: a stack, a volume with a file in it.
pub(crate) struct Neighbour<'a> {
    lab: &'a Lab,
}

impl<'a> Neighbour<'a> {
    /// Plants it; the options are those of `docker service create`.
    pub(crate) fn plant(lab: &'a Lab, options: &[&str]) -> Self {
        let neighbour = Self { lab };
        let mut create = [
            "service",
            "create",
            "--quiet",
            "--detach",
            "--name",
            "neighbour_app",
            "--label",
            "com.docker.stack.namespace=neighbour",
            "--container-label",
            "com.docker.stack.namespace=neighbour",
            "--mount",
            "type=volume,source=neighbour_data,target=/data",
            "--no-healthcheck",
        ]
        .to_vec();
        create.extend(options);
        create.push("lab/web:1.0.0");
        lab.docker(&create);
        until("the neighbour", || (!neighbour.container().is_empty()).then_some(()));
        lab.docker(&["exec", &neighbour.container(), "sh", "-c", "echo planted > /data/witness"]);
        neighbour
    }

    /// Its container's id.
    pub(crate) fn container(&self) -> String {
        self.lab.docker(&["ps", "-q", "--filter", "label=com.docker.swarm.service.name=neighbour_app"])
    }

    /// The same container, with the same file.
    pub(crate) fn assert_untouched(&self, container: &str) {
        assert_eq!(self.container(), container, "the neighbour was restarted");
        assert_eq!(self.lab.docker(&["exec", container, "cat", "/data/witness"]), "planted");
    }
}

impl Drop for Neighbour<'_> {
    fn drop(&mut self) {
        self.lab.docker(&["service", "rm", "neighbour_app"]);
        until("the neighbour's end", || {
            self.lab
                .docker(&["ps", "-aq", "--filter", "label=com.docker.stack.namespace=neighbour"])
                .is_empty()
                .then_some(())
        });
        self.lab.docker(&["volume", "rm", "neighbour_data"]);
    }
}
