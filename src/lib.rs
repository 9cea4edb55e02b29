//! cc-ci.
