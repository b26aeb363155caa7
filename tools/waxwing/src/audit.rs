//! `waxwing audit`: verdicts on what others hold.

mod compare;
mod directory;
mod evidence;
mod nodes;
mod policy;
mod receipt;
mod run;

use crate::Done;
use crate::args::Audit;
use crate::output::Output;

pub(crate) use compare::history;
#[cfg(feature = "node")]
pub(crate) use directory::database_in;
#[cfg(feature = "node")]
pub(crate) use evidence::evidence_in;
pub(crate) use evidence::hand_out;
pub(crate) use nodes::Caller;
pub(crate) use run::open as open_source;
#[cfg(feature = "node")]
pub(crate) use run::report;

pub(crate) fn run(verb: &Audit, output: &Output) -> Done {
    match verb {
        Audit::Run { source, policy } => run::run(source, policy.as_deref(), output),
        Audit::Compare {
            first,
            second,
            policy,
            out,
        } => compare::run([first, second], policy.as_deref(), out.as_deref(), output),
        Audit::Evidence { source, out } => evidence::run(source, out.as_deref(), output),
        Audit::Receipt { file, policy, body } => receipt::check(file, policy.as_deref(), body.as_deref(), output),
        Audit::Policy(verb) => policy::run(verb, output),
    }
}
