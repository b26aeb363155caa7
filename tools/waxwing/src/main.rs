//! The `waxwing` program: arguments in, screens out. What is true is decided in the libraries below it.
//!
//! Nouns then verbs (`waxwing node run`), one module per noun. A command reads files and arguments, calls a library and
//! says what came of it through [`output::Output`], the only place that prints. Whatever goes wrong ends as one line on
//! standard error that says what to do, and an exit code that scripts can rely on; see [`failure`].

mod args;
mod audit;
mod chat;
mod clock;
mod confirm;
#[cfg(feature = "node")]
mod dev;
mod environment;
mod export;
mod failure;
mod files;
mod home;
mod ids;
mod inside;
mod ladder;
mod network;
#[cfg(feature = "node")]
mod node;
mod output;
mod papers;
mod passphrase;
mod progress;
mod signals;
mod words;

use std::process::ExitCode;
use std::time::Duration;

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
    match environment::expect_known().and_then(|()| run(&cli, &output)) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failure.tell(),
    }
}

fn run(cli: &Cli, output: &Output) -> Done {
    if !runs_a_node(&cli.noun) {
        inside::show(&cli.global);
    }
    let home = home::Home::find(cli.global.home.as_deref());
    match &cli.noun {
        Noun::Network(verb) => network::run(verb, &home, output),
        #[cfg(feature = "node")]
        Noun::Node(verb) => node::run(verb, &home, output),
        Noun::Chat(chat) => chat::run(chat, &home, output),
        Noun::Audit(verb) => audit::run(verb, output),
        Noun::Export { dir, out } => export::run(dir, out, output),
        #[cfg(feature = "node")]
        Noun::Dev(verb) => dev::run(verb, &home, output),
        Noun::Completions { shell } => papers::completions(*shell, output),
        Noun::Man { out } => papers::man(out.as_deref(), output),
        Noun::Version => papers::version(output),
    }
}

/// Nodes say what happens inside as their settings ask.
#[cfg(feature = "node")]
const fn runs_a_node(noun: &Noun) -> bool {
    matches!(noun, Noun::Node(args::Node::Run(_)) | Noun::Dev(args::Dev::Liar(_)))
}

#[cfg(not(feature = "node"))]
const fn runs_a_node(_noun: &Noun) -> bool {
    false
}

/// How long what is left running may take to end.
const ENDING: Duration = Duration::from_secs(5);

/// Runs what talks to networks and processes. What is left running is ended before the process is: the libraries below
/// tidy up when it exits, and whoever still used them then would crash it.
fn on_runtime<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::failed(format!("the system gives no threads: {}", files::reason(&error))))?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(ENDING);
    done
}
