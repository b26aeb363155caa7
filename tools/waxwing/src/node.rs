//! `waxwing node`: a full node on this machine. Its data directory is `HOME/node`.

mod ask;
mod init;
mod log;
pub(crate) mod pages;
pub(crate) mod run;
mod settings;

use crate::Done;
use crate::args::{ConfigVerb, Node};
use crate::home::Home;
use crate::output::Output;

pub(crate) fn run(verb: &Node, home: &Home, output: &Output) -> Done {
    match verb {
        Node::Init(options) => init::run(options, home, output),
        Node::Run(options) => run::run(options, run::Honesty::Honest, home, output),
        Node::Status { watch, place } => ask::status(*watch, place, home, output),
        Node::Health { live, ready: _, place } => ask::health(*live, place, home, output),
        Node::Config(ConfigVerb::Show { origin, settings }) => settings::show(*origin, settings, home, output),
        Node::Config(ConfigVerb::Check { file }) => settings::check(file.as_deref(), home, output),
    }
}
