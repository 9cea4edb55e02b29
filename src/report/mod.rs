//! What a person reads at the end of a run: the page `report.html` and the words on the terminal.
//!
//! Pure: results and log in, text out. Everything that comes from outside (log, titles, compose files) is bounded, freed
//! of escape sequences and control characters, and escaped where it leaves.

mod clean;
mod fold;
mod html;
#[cfg(test)]
mod samples;
mod text;
mod timeline;
mod words;

pub use self::html::html;
pub use self::text::summary;
