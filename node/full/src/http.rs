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
use waxwing_net::wire::Hindrance;

use crate::faults::Lifeline;
use crate::serve::NodeStatus;

/// What the pages show.
pub(crate) struct Pages {
    pub(crate) lifeline: Lifeline,
    /// `None` when the node is gone.
    pub(crate) status: Box<dyn Fn() -> Option<NodeStatus> + Send + Sync>,
    /// `None` when the node is gone.
    pub(crate) hindrances: Box<dyn Fn() -> Option<Vec<Hindrance>> + Send + Sync>,
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

/// What readiness asks, by name, in the order of the page.
const CHECKS: [&str; 5] = ["running", "upstreams", "quorum", "sync", "one_history"];

/// The check that a hindrance fails.
const fn check(hindrance: &Hindrance) -> &'static str {
    match hindrance {
        Hindrance::Stopping => "running",
        Hindrance::NoUpstream { .. } => "upstreams",
        Hindrance::NoQuorum { .. } => "quorum",
        Hindrance::Behind { .. } => "sync",
        Hindrance::TwoHistories => "one_history",
    }
}

async fn readyz(State(pages): State<Arc<Pages>>, RawQuery(query): RawQuery) -> Response {
    let Some(hindrances) = (pages.hindrances)() else {
        return gone();
    };
    let is_ready = hindrances.is_empty();
    let code = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let is_verbose = query.is_some_and(|query| query.split('&').any(|part| part == "verbose"));
    (code, readiness(&hindrances, is_verbose)).into_response()
}

fn readiness(hindrances: &[Hindrance], is_verbose: bool) -> String {
    let mut text = String::new();
    for name in CHECKS {
        match hindrances.iter().find(|hindrance| check(hindrance) == name) {
            Some(hindrance) => text.push_str(&format!("[-] {name}: {hindrance}\n")),
            None if is_verbose => text.push_str(&format!("[+] {name}\n")),
            None => {}
        }
    }
    text.push_str(if hindrances.is_empty() {
        "ready\n"
    } else {
        "not ready\n"
    });
    text
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

    #[test]
    fn every_hindrance_stands_on_the_page_and_all_checks_do_when_asked() {
        let quorum = Hindrance::NoQuorum {
            linked: 2,
            members: 4,
            needed: 3,
        };
        let all = [
            Hindrance::Stopping,
            Hindrance::NoUpstream { known: 1 },
            quorum,
            Hindrance::Behind { height: 1, target: 99 },
            Hindrance::TwoHistories,
        ];
        let page = readiness(&all, false);
        assert_eq!(page.lines().filter(|line| line.starts_with("[-] ")).count(), all.len());
        assert!(page.ends_with("\nnot ready\n"), "{page}");
        assert_eq!(
            readiness(&[quorum], true),
            "[+] running\n[+] upstreams\n[-] quorum: linked with 2 of 4 validators, itself counted; 3 must be\n\
             [+] sync\n[+] one_history\nnot ready\n"
        );
        assert_eq!(readiness(&[], false), "ready\n");
    }
}
