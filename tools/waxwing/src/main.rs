//! Placeholder opening.
fn main() {}
