//! Real nodes on hosts of their own, with a network between them that delays, loses, doubles and parts, and with machines
//! that die, fill up and go wrong. Whatever happens: no two blocks of one height are ever shown, nothing that somebody was
//! told is final is lost, and when the fault is over everybody goes on. How long that takes is printed.
//!
//! `tests/system/src/hosts` makes the network. Where a machine cannot, `tools/test` says so and leaves these tests out by
//! name; nothing else does.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "how long a recovery took is printed")]

mod clock;
mod disk;
mod followers;
mod killed;
mod loss;
mod partition;
mod stage;
