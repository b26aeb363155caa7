//! `waxwing audit`: verdicts on what others hold.

mod policy;
mod receipt;

use crate::Done;
use crate::args::Audit;
use crate::output::Output;

pub(crate) fn run(verb: &Audit, output: &Output) -> Done {
    match verb {
        Audit::Receipt { file, policy, body } => receipt::check(file, policy.as_deref(), body.as_deref(), output),
        Audit::Policy(verb) => policy::run(verb, output),
    }
}
