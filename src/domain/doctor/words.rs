//! The matters, in the order in which they are told, and why each matters.

/// Declares the matters once: variant, name, why.
macro_rules! matters {
    ($($matter:ident $name:literal $why:literal)*) => {
        /// Something that is looked at.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each is told by its own sentence")]
        pub enum Matter { $($matter),* }

        impl Matter {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$matter),*];

            /// The stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$matter => $name),* }
            }

            /// Why it matters, in one sentence.
            #[must_use]
            pub const fn why(self) -> &'static str {
                match self { $(Self::$matter => $why),* }
            }
        }
    };
}

matters! {
    Settings "settings" "The service does not start with a wrong one."
    Forge "forge" "The gate reads pull requests and answers there."
    ForgeRights "forge_rights" "What the token may not do, the gate cannot do."
    Database "database" "Runs, answers and verdicts are kept there."
    Key "key" "The target lets the gate in by this key."
    Role "role" "On a `dev` target somebody else is root: nothing is judged there."
    Session "session" "Everything goes through this one connection; the pinned host key says that it is the right machine."
    Engine "engine" "Recipes run in it. An older one leaves out parts of a stack without a word."
    Swarm "swarm" "Recipes are stacks of a Swarm; only a manager can deploy them."
    Network "network" "The proxy reaches the apps by it."
    Proxy "proxy" "Pages are asked through it: without an answer every install is red."
    Clock "clock" "Certificates and logs need the right time; a run corrects a few seconds."
    Mirror "mirror" "With a registry cache pulls are quicker, and pull limits are reached later."
    Runner "runner" "It acts for the gate on the target; it is sent once per version."
    Disk "disk" "A full disk fails deploys in ways that look like the recipe's fault."
    Reach "must_not_reach" "What a recipe under test can reach, it can attack."
    Shell "refused_shell" "The gate's key must open nothing but the engine's socket and port 443: a shell would outlive the target's recycling."
    Command "refused_command" "A command is as good as a shell."
    FileTransfer "refused_sftp" "Files of the target are none of the gate's business."
    RemotePort "refused_remote_port" "A port opened on the target would lead back to the gate's network."
    RemoteSocket "refused_remote_socket" "A socket opened on the target would lead back to the gate's network."
    OtherPort "refused_other_port" "Services on the target's loopback trust whoever gets there."
    OtherHost "refused_other_host" "The target must not be a way into its own network."
    OtherSocket "refused_other_socket" "Other sockets are other services."
    Traefik "traefik" "The proxy is an app of its own, kept by the target's maintainer."
    BackupBot "backup-bot-two" "abra's backups are made by it."
}
