//! Placeholder opening.
