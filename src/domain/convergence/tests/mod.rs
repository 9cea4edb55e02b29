//! Stories about a simulated Swarm, and properties over random ones.

mod catalogue;
mod other_ends;
mod properties;
mod script;
mod stories;
mod swarm;
