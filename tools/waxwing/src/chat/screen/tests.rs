//! The screen without a terminal: a model, events, and a buffer to draw into.

mod files;
mod fixtures;
mod frames;
mod groups;
mod hostile;
mod keys;
mod length;
mod looks;
mod manners;
mod person;
mod pictures;
mod storm;
