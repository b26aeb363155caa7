//! A node's log, on standard error: for people on a terminal, JSON where a collector reads it.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use waxwing_node::config::{LogFormat, NodeConfig};

use crate::failure::Failure;

/// The engine under the agreement tells every height and vote at info. What of it concerns an operator, the node says
/// itself. A filter that names the engine still wins: it comes later.
const ENGINE: &str = "arc_malachitebft_core_consensus=warn,arc_malachitebft_core_driver=warn,\
                      arc_malachitebft_core_state_machine=warn,arc_malachitebft_core_votekeeper=warn";

/// Starts logging as the settings say.
///
/// # Errors
/// If the filter is none.
pub(super) fn start(config: &NodeConfig) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(format!("{ENGINE},{}", config.log)).map_err(|error| {
        Failure::usage(format!(
            "the setting \"log\" is no level and no filter ({error}): try \"info\""
        ))
    })?;
    let is_terminal = std::io::stderr().is_terminal();
    let as_json = match config.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !is_terminal,
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A log that was started already is the one of a test in this process, and stays.
    if as_json {
        let _ = log.json().flatten_event(true).try_init();
    } else {
        let _ = log
            .with_ansi(is_terminal && std::env::var_os("NO_COLOR").is_none())
            .with_target(false)
            .try_init();
    }
    Ok(())
}
