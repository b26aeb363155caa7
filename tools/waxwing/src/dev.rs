//! `waxwing dev`: a whole network on this machine, and ways to break it on purpose.

mod corpus;
mod demo;
mod network;
mod tamper;
mod up;

use crate::Done;
use crate::args::Dev;
use crate::home::Home;
use crate::node::run::Honesty;
use crate::output::Output;

pub(crate) fn run(verb: &Dev, home: &Home, output: &Output) -> Done {
    match verb {
        Dev::Demo(options) => demo::run(options, output),
        Dev::Liar(options) => crate::node::run::run(options, Honesty::VotesTwice, home, output),
        Dev::Tamper { kind, dir, seed } => tamper::run(kind.as_deref(), dir.as_deref(), *seed, output),
        Dev::Up {
            validators,
            followers,
            dir,
        } => up::run(*validators, *followers, dir.as_deref(), home, output),
    }
}
