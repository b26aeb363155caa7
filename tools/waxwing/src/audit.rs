//! `waxwing audit`: verdicts on what others hold.

mod policy;

use crate::Done;
use crate::args::Audit;
use crate::output::Output;

pub(crate) fn run(verb: &Audit, output: &Output) -> Done {
    match verb {
        Audit::Policy(verb) => policy::run(verb, output),
    }
}
