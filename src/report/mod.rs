//! What a person reads at the end of a run: the page `report.html` and the words on the terminal; and `junit.xml` for programs.
//!
//! Pure: results and log in, text out. Everything that comes from outside (log, titles, compose files) is bounded, freed
//! of escape sequences and control characters, and escaped where it leaves.

mod body;
mod clean;
pub mod compare;
mod fold;
mod html;
mod junit;
pub mod lint;
pub mod lint_tests;
#[cfg(test)]
mod samples;
mod sarif;
#[cfg(test)]
mod schema;
mod text;
mod timeline;
pub mod timings;
pub mod words;

pub use self::body::{Body, Excerpt, Files, Limits, Part, body, parts};
pub use self::clean::{line as clean_line, page as clean_page};
pub use self::html::html;
pub use self::junit::junit;
pub use self::text::summary;
pub use self::timeline::{Times, picture};
