//! One host at a time, told exactly what the test wants it to hear. Whole committees are in `tests/agreement`.

mod bench;
mod bytes;
mod guarded;
mod heights;
mod refused;
mod replayed;
mod witness;
