//! The `waxwing` program: arguments in, screens out. What is true is decided in the libraries below it.
//!
//! Nouns then verbs (`waxwing node run`), one module per noun. A command reads files and arguments, calls a library and
//! says what came of it through [`output::Output`], the only place that prints. Whatever goes wrong ends as one line on
//! standard error that says what to do, and an exit code that scripts can rely on; see [`failure`].

mod args;
mod audit;
mod clock;
mod failure;
mod files;
mod home;
mod ids;
mod network;
#[cfg(feature = "node")]
mod node;
mod output;
mod papers;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Noun};
use failure::Failure;
use output::Output;

/// What a command that has said everything leaves for the exit code.
type Done = Result<u8, Failure>;

fn main() -> ExitCode {
    failure::call_panics_bugs();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refusal) => return failure::refuse_arguments(&refusal),
    };
    let output = Output::new(&cli.global);
    match run(&cli, &output) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.tell(),
    }
}

fn run(cli: &Cli, output: &Output) -> Done {
    let home = home::Home::find(cli.global.home.as_deref());
    match &cli.noun {
        Noun::Network(verb) => network::run(verb, &home, output),
        #[cfg(feature = "node")]
        Noun::Node(verb) => node::run(verb, &home, output),
        Noun::Audit(verb) => audit::run(verb, output),
        Noun::Completions { shell } => papers::completions(*shell, output),
        Noun::Man { out } => papers::man(out.as_deref(), output),
        Noun::Version => papers::version(output),
    }
}
