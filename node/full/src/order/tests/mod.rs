//! Committees of whole validators: what they agree on, and what each refuses.

mod agree;
mod faults;
mod world;
