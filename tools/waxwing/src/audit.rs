//! `waxwing audit`: verdicts on what others hold.

mod directory;
mod policy;
mod receipt;
mod run;

use crate::Done;
use crate::args::Audit;
use crate::output::Output;

#[cfg(feature = "node")]
pub(crate) use directory::database_in;
pub(crate) use run::open as open_source;
#[cfg(feature = "node")]
pub(crate) use run::report;

pub(crate) fn run(verb: &Audit, output: &Output) -> Done {
    match verb {
        Audit::Run { source, policy } => run::run(source, policy.as_deref(), output),
        Audit::Receipt { file, policy, body } => receipt::check(file, policy.as_deref(), body.as_deref(), output),
        Audit::Policy(verb) => policy::run(verb, output),
    }
}
