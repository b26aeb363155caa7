//! `-vv`: what happens inside, on standard error, for whoever looks for the cause of something. Nodes have a log of their
//! own, with settings.

use tracing_subscriber::EnvFilter;

use crate::args::Global;

/// How often `-v` must be given.
pub(crate) const WANTED: u8 = 2;

/// Starts saying it, if it is wanted. `RUST_LOG` chooses what.
pub(crate) fn show(global: &Global) {
    if global.verbose < WANTED {
        return;
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,waxwing=debug"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false);
    // A second log cannot be: whoever started the first one wants that.
    let _ = log.try_init();
}
