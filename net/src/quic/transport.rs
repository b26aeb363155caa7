//! How QUIC itself is set up: windows, streams, timeouts, sockets. No value is left to a default that could change.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn::{
    Endpoint, EndpointConfig, IdleTimeout, MtuDiscoveryConfig, ServerConfig, TokioRuntime, TransportConfig, VarInt,
};

use super::limits::ServerLimits;
use crate::wire::limits::{
    KEEP_ALIVE_PERCENT, RECEIVE_WINDOW_BYTES, REPLY_BYTES_MAX, REQUEST_BYTES_MAX, SEND_WINDOW_BYTES, STREAMS_GRANTED,
};

/// What a client keeps ready for a node's replies: two of the largest.
const CLIENT_WINDOW_BYTES: u32 = 8 << 20;

/// What a client may have under way to a node; the node's own windows are smaller.
const CLIENT_SEND_WINDOW_BYTES: u64 = 4 << 20;

/// Room in the system for what arrives while the program is not running: 100 ms at 20 MB/s. The system may grant less.
const SOCKET_BUFFER_BYTES: usize = 2 << 20;

const _: () = assert!(REPLY_BYTES_MAX * 2 <= 8 << 20);

fn base() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .datagram_send_buffer_size(0)
        .mtu_discovery_config(Some(MtuDiscoveryConfig::default()))
        .enable_segmentation_offload(true)
        // The spin bit shows anybody on the path how far away the two are; nobody here needs it.
        .allow_spin(false);
    transport
}

/// For connections that others open to this node.
pub(super) fn of_server(limits: &ServerLimits) -> TransportConfig {
    let mut transport = base();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS_GRANTED))
        .stream_receive_window(window(REQUEST_BYTES_MAX))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW_BYTES))
        .send_window(u64::from(SEND_WINDOW_BYTES))
        .max_idle_timeout(Some(idle(limits.idle)));
    transport
}

/// For connections that this program opens. A node opens no streams to its clients.
pub(super) fn of_client(silence: Duration) -> TransportConfig {
    let mut transport = base();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .stream_receive_window(window(REPLY_BYTES_MAX))
        .receive_window(VarInt::from_u32(CLIENT_WINDOW_BYTES))
        .send_window(CLIENT_SEND_WINDOW_BYTES)
        .max_idle_timeout(Some(idle(silence)))
        .keep_alive_interval(Some(silence * KEEP_ALIVE_PERCENT / 100));
    transport
}

/// Longer than QUIC can express is as good as for ever.
fn idle(time: Duration) -> IdleTimeout {
    time.try_into().unwrap_or_else(|_| VarInt::MAX.into())
}

fn window(bytes: usize) -> VarInt {
    VarInt::from_u32(u32::try_from(bytes).expect("frames are bounded far below 4 GiB"))
}

/// Opens a socket and an endpoint on it; with a server configuration it also takes connections.
pub(super) fn endpoint(
    address: SocketAddr,
    config: EndpointConfig,
    server: Option<ServerConfig>,
) -> io::Result<Endpoint> {
    let socket = UdpSocket::bind(address)?;
    let buffers = socket2::SockRef::from(&socket);
    // A smaller buffer costs speed under load, never correctness: whatever the system grants will do.
    let _ = buffers.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = buffers.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    Endpoint::new(config, server, socket, Arc::new(TokioRuntime))
}
