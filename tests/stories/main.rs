//! Stories of the service: the real client, the real database and the real rounds, against a forge on the wire and by a clock
//! that the story moves. Named after the scenarios they show.

#![expect(clippy::unwrap_used, reason = "a story that cannot be told fails")]

#[path = "../fakes/forge/mod.rs"]
#[expect(dead_code, reason = "what only the tests of the client need")]
mod fake;

#[path = "../fakes/engine.rs"]
mod engine;

mod endings;
mod ends;
mod heard;
mod hooks;
mod outages;
mod people;
mod queue;
mod requests;
mod scene;
mod schedules;
mod targets;
mod tokens;
mod verdicts;
