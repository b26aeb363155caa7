//! The screen without a terminal: a model, events, and a buffer to draw into.

mod files;
mod fixtures;
mod groups;
mod keys;
mod length;
mod looks;
mod manners;
mod pictures;
mod storm;
