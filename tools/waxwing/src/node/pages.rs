//! The pages that a node shows on loopback: asked for with as much HTTP as that takes.
//!
//! One request on a connection of its own, `Connection: close`, an answer of bounded size. Anything else than a plain
//! answer of that kind is no answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a node on the same machine may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A node with a hundred upstreams shows less.
const ANSWER_MAX: u64 = 1 << 20;

/// A page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Page {
    /// 200 for yes.
    pub(crate) code: u16,
    /// What it says.
    pub(crate) text: String,
}

/// Fetches a page; `None` if nobody answers in this way.
pub(crate) fn fetch(address: SocketAddr, path: &str) -> Option<Page> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    // In one piece: some servers answer to the first part of a request that arrives in several.
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).ok()?;
    parse(&String::from_utf8(answer).ok()?)
}

fn parse(answer: &str) -> Option<Page> {
    let (head, text) = answer.split_once("\r\n\r\n")?;
    let mut first = head.lines().next()?.split_whitespace();
    let is_http = first.next()?.starts_with("HTTP/1.");
    let code = first.next()?.parse().ok()?;
    is_http.then(|| Page {
        code,
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn an_answer_is_read_with_its_code_and_anything_else_is_none() {
        let page = parse("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 3\r\n\r\nno\n");
        assert_eq!(
            page,
            Some(Page {
                code: 503,
                text: "no\n".to_owned()
            })
        );
        for wrong in ["", "HTTP/1.1 200 OK", "SSH-2.0\r\n\r\n", "HTTP/1.1 yes\r\n\r\n"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_page_is_fetched_and_a_closed_port_is_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 256];
            let read = stream.read(&mut request).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nready\n").unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        assert_eq!(
            fetch(address, "/readyz"),
            Some(Page {
                code: 200,
                text: "ready\n".to_owned()
            })
        );
        assert!(
            server
                .join()
                .unwrap()
                .starts_with("GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:")
        );
        assert_eq!(fetch(address, "/readyz"), None);
    }
}
