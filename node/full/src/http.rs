//! Health and figures over HTTP, on loopback only.
//!
//! | path | says |
//! |---|---|
//! | `/livez` | 200 while the process works; 503 once the node has stopped because of a fault |
//! | `/readyz` | 200 if it can be recommended to clients; `?verbose` names each check. Peers and sync are readiness, never liveness |
//! | `/status` | everything, as JSON |
//! | `/metrics` | figures for Prometheus |

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::faults::Lifeline;
use crate::serve::{CommitteeReport, LinkReport, NodeStatus};

/// Blocks that a node may be behind what its upstream nodes have shown, and still be ready: some seconds under load.
const LAG_BLOCKS: u64 = 64;

/// What the pages show.
pub(crate) struct Pages {
    pub(crate) lifeline: Lifeline,
    /// `None` when the node is gone.
    pub(crate) status: Box<dyn Fn() -> Option<NodeStatus> + Send + Sync>,
    /// `None` when the node is gone.
    pub(crate) metrics: Box<dyn Fn() -> Option<String> + Send + Sync>,
}

/// Listens; returns the address, with the port that the system chose if none was asked for.
pub(crate) async fn serve(address: SocketAddr, pages: Pages) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let lifeline = pages.lifeline.clone();
    let router = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(pages));
    tokio::spawn(async move {
        let stopped = async move { lifeline.stopped().await };
        // It ends when the node does; a connection that breaks before ends by itself.
        let _ = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
    });
    Ok(address)
}

async fn livez(State(pages): State<Arc<Pages>>) -> Response {
    match pages.lifeline.fault() {
        None => (StatusCode::OK, "ok\n").into_response(),
        Some(fault) => (StatusCode::SERVICE_UNAVAILABLE, format!("{fault}\n")).into_response(),
    }
}

/// One condition of readiness.
struct Check {
    name: &'static str,
    holds: bool,
    reason: String,
}

fn checks(pages: &Pages, status: &NodeStatus) -> Vec<Check> {
    let connected = status.upstreams.iter().filter(|upstream| upstream.is_connected).count();
    let is_validator = status.role == "validator";
    vec![
        Check {
            name: "running",
            holds: !pages.lifeline.is_stopping(),
            reason: "the node stops".to_owned(),
        },
        Check {
            name: "upstreams",
            holds: is_validator || connected > 0,
            reason: format!("none of {} answers", status.upstreams.len()),
        },
        quorum(is_validator, &status.committee, &status.links),
        Check {
            name: "sync",
            holds: status.target.saturating_sub(status.height) <= LAG_BLOCKS,
            reason: format!(
                "{}: verified to {} of {}",
                status.progress, status.height, status.target
            ),
        },
        Check {
            name: "one_history",
            holds: !status.is_halted,
            reason: "two certified histories were seen".to_owned(),
        },
    ]
}

/// Whether a validator can order what it is given: a vote reaches the others, and theirs come back, over links both ways.
fn quorum(is_validator: bool, committee: &CommitteeReport, links: &[LinkReport]) -> Check {
    let is_linked = |member: &String| {
        let mut links = links.iter().filter(|link| link.validator == *member);
        links.any(|link| link.listens && link.heard_at.is_some())
    };
    let votes = |member: &&String| committee.own.as_ref() == Some(*member) || is_linked(member);
    let reached = committee.members.iter().filter(votes).count();
    Check {
        name: "quorum",
        holds: !is_validator || reached >= committee.quorum,
        reason: format!(
            "linked with {reached} of {} validators, itself counted; {} must be",
            committee.members.len(),
            committee.quorum
        ),
    }
}

async fn readyz(State(pages): State<Arc<Pages>>, RawQuery(query): RawQuery) -> Response {
    let Some(status) = (pages.status)() else { return gone() };
    let checks = checks(&pages, &status);
    let is_ready = checks.iter().all(|check| check.holds);
    let code = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let is_verbose = query.is_some_and(|query| query.split('&').any(|part| part == "verbose"));
    let mut text = String::new();
    for check in checks.iter().filter(|check| is_verbose || !check.holds) {
        text.push_str(&match check.holds {
            true => format!("[+] {}\n", check.name),
            false => format!("[-] {}: {}\n", check.name, check.reason),
        });
    }
    text.push_str(if is_ready { "ready\n" } else { "not ready\n" });
    (code, text).into_response()
}

async fn status(State(pages): State<Arc<Pages>>) -> Response {
    let Some(status) = (pages.status)() else { return gone() };
    match serde_json::to_string(&status) {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn metrics(State(pages): State<Arc<Pages>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match (pages.metrics)() {
        Some(text) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        None => gone(),
    }
}

fn gone() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the node has stopped\n").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committee(members: &[&str], quorum: usize) -> CommitteeReport {
        CommitteeReport {
            term: 0,
            members: members.iter().map(ToString::to_string).collect(),
            quorum,
            tolerated: members.len() - quorum,
            own: Some("a".to_owned()),
            proposer: None,
            next_term_from: None,
            round: None,
            certificate: None,
        }
    }

    fn link(validator: &str, listens: bool, is_heard: bool) -> LinkReport {
        LinkReport {
            validator: validator.to_owned(),
            listens,
            heard_at: is_heard.then(|| "key@host:1".to_owned()),
        }
    }

    #[test]
    fn a_validator_is_ready_with_a_quorum_and_not_without() {
        let four = committee(&["a", "b", "c", "d"], 3);
        let holds = |links: &[LinkReport]| quorum(true, &four, links).holds;
        assert!(holds(&[
            link("b", true, true),
            link("c", true, true),
            link("d", false, false)
        ]));
        assert!(!holds(&[link("b", true, true), link("c", false, false)]));
        assert!(!holds(&[]));
        // Half a link decides nothing.
        assert!(!holds(&[
            link("b", true, true),
            link("c", true, false),
            link("d", false, true)
        ]));
        // Who joins in the next term does not vote yet.
        assert!(!holds(&[link("b", true, true), link("e", true, true)]));
        let refused = quorum(true, &four, &[link("b", true, true)]);
        assert_eq!(
            refused.reason,
            "linked with 2 of 4 validators, itself counted; 3 must be"
        );
    }

    #[test]
    fn who_votes_alone_or_not_at_all_waits_for_no_other_validator() {
        assert!(quorum(true, &committee(&["a"], 1), &[]).holds);
        assert!(quorum(false, &committee(&["b", "c", "d", "e"], 3), &[]).holds);
    }
}
