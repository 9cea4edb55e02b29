//! The words and flags of a command, each declared once.

/// Declares a set of names: the enum, the list of all, and the way from and to the text.
macro_rules! names {
    ($(#[$doc:meta])* $type:ident { $($(#[$about:meta])* $name:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type { $($(#[$about])* $name),* }

        impl $type {
            /// All of them, in the order in which help lists them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// As it is written.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// The one that is written like that.
            #[must_use]
            pub fn named(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|it| it.name() == text)
            }
        }
    };
}

names! {
    /// A word that stands alone behind `!testme`.
    Word {
        /// Say what can be written.
        Help "help",
        /// Say how far the runs are.
        Status "status",
        /// End what waits or runs.
        Cancel "cancel",
        /// Test the last commit again.
        Retry "retry",
    }
}

names! {
    /// A flag behind `!testme`.
    Flag {
        /// Run the heavy checks too.
        Extra "--extra",
        /// Run these stages only.
        Only "--only",
        /// Upgrade from this version.
        Base "--base",
        /// Leave the app up for so long.
        Keep "--keep",
        /// Use the test files of the pull request.
        WithTests "--with-tests",
    }
}

impl Flag {
    /// The name of its value in help; `None`: it takes none.
    #[must_use]
    pub const fn value(self) -> Option<&'static str> {
        match self {
            Self::Only => Some("STAGE,…"),
            Self::Base => Some("VERSION"),
            Self::Keep => Some("TIME"),
            Self::Extra | Self::WithTests => None,
        }
    }
}
