//! Listening sockets and the loop that accepts connections.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::connection;
use super::quota::{ConnectionPermit, TooManyConnections};
use super::rlimit;
use crate::broker::Broker;
use crate::context::ConnectionInfo;

/// Connections that the kernel keeps for us until they are accepted. Kafka's default of 50 drops
/// connections when many clients reconnect at once.
const BACKLOG_MIN: i32 = 4096;

/// How long to wait when the process has no descriptor left, unless a connection ends earlier.
const NO_DESCRIPTORS_PAUSE: Duration = Duration::from_millis(100);

/// Why a listener cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("the host {host} of listener {listener} cannot be resolved: {error}")]
    Resolve { listener: String, host: String, error: io::Error },
    #[error(
        "listener {listener} cannot use port {port}: it is in use already. Stop the other process \
         or choose another port with --override listeners={listener}://{host}:PORT"
    )]
    InUse { listener: String, host: String, port: u16 },
    #[error("listener {listener} cannot listen on {address}: {error}")]
    Bind { listener: String, address: SocketAddr, error: io::Error },
}

/// One listener with its sockets, bound and listening.
#[derive(Debug)]
pub struct Listener {
    pub name: Arc<str>,
    pub port: u16,
    sockets: Vec<TcpListener>,
}

impl Listener {
    /// Binds a listener. An empty host means every address; `localhost` means 127.0.0.1 and ::1,
    /// because clients resolve it to either. Must run within the runtime.
    pub fn bind(name: &str, host: &str, port: u16, backlog: i32) -> Result<Self, BindError> {
        let mut sockets = Vec::new();
        let mut bound_port = port;
        for (ip, required) in addresses(name, host)? {
            let address = SocketAddr::new(ip, bound_port);
            match bind(address, backlog.max(BACKLOG_MIN)) {
                Ok(socket) => {
                    // Port 0 is chosen once and then the same for all addresses.
                    bound_port = socket.local_addr().map_or(bound_port, |local| local.port());
                    sockets.push(socket);
                }
                Err(_) if !required && !sockets.is_empty() => {}
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    let (listener, host) = (name.to_owned(), host.to_owned());
                    return Err(BindError::InUse { listener, host, port });
                }
                Err(error) => {
                    return Err(BindError::Bind { listener: name.to_owned(), address, error });
                }
            }
        }
        Ok(Self { name: name.into(), port: bound_port, sockets })
    }

    /// The addresses that are listened on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect()
    }

    /// Accepts connections until the broker drains. Returns the accepting tasks.
    pub fn serve(self, broker: &Arc<Broker>) -> Vec<tokio::task::JoinHandle<()>> {
        let name = self.name;
        let accept = |socket| tokio::spawn(accept(socket, name.clone(), broker.clone()));
        self.sockets.into_iter().map(accept).collect()
    }
}

/// The addresses of a host, and whether each must work.
fn addresses(listener: &str, host: &str) -> Result<Vec<(IpAddr, bool)>, BindError> {
    if host.is_empty() {
        // One dual-stack socket; where IPv6 is switched off, IPv4 alone.
        let v6_works = Socket::new(Domain::IPV6, Type::STREAM, None).is_ok();
        let any: IpAddr =
            if v6_works { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        return Ok(vec![(any, true)]);
    }
    if host == "localhost" {
        return Ok(vec![(Ipv4Addr::LOCALHOST.into(), true), (Ipv6Addr::LOCALHOST.into(), false)]);
    }
    let resolved = (host, 0).to_socket_addrs().map_err(|error| BindError::Resolve {
        listener: listener.to_owned(),
        host: host.to_owned(),
        error,
    })?;
    let mut addresses: Vec<(IpAddr, bool)> = resolved.map(|address| (address.ip(), true)).collect();
    addresses.dedup();
    // As Kafka does: the first address of a name.
    addresses.truncate(1);
    Ok(addresses)
}

fn bind(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if let SocketAddr::V6(v6) = address {
        socket.set_only_v6(!v6.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    TcpListener::from_std(socket.into())
}

async fn accept(listener: TcpListener, name: Arc<str>, broker: Arc<Broker>) {
    let mut out_of_descriptors = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if std::mem::take(&mut out_of_descriptors) {
                    tracing::info!(listener = %name, "Connections are accepted again");
                }
                admit(stream, peer, &name, &broker);
            }
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                // No descriptor or no memory: the connection stays in the backlog. Waiting keeps
                // this from turning in a circle.
                if !std::mem::replace(&mut out_of_descriptors, true) {
                    tracing::error!(listener = %name, %error, "Cannot accept connections");
                }
                tokio::time::sleep(NO_DESCRIPTORS_PAUSE).await;
            }
        }
    }
}

/// Errors of the one connection that was to be accepted.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

fn admit(stream: TcpStream, peer: SocketAddr, listener: &Arc<str>, broker: &Arc<Broker>) {
    let net = broker.net();
    let admitted = if rlimit::is_kept_for_files(stream.as_raw_fd()) {
        Err(TooManyConnections::Descriptors)
    } else {
        net.quota.admit(peer.ip(), listener)
    };
    let permit = match admitted {
        Ok(permit) => permit,
        Err(reason) => {
            net.refusals.report(peer, &reason);
            return;
        }
    };
    if let Err(error) = prepare(&stream, &net.settings()) {
        tracing::debug!(%peer, %error, "Socket options cannot be set");
    }
    let info = ConnectionInfo::new(net.next_connection_id(), listener.clone(), peer);
    tokio::spawn(run(stream, broker.clone(), Arc::new(info), permit));
}

async fn run(
    stream: TcpStream,
    broker: Arc<Broker>,
    info: Arc<ConnectionInfo>,
    _permit: ConnectionPermit,
) {
    connection::serve(stream, broker.net(), &broker, info).await;
}

fn prepare(stream: &TcpStream, settings: &super::NetSettings) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    socket.set_keepalive(true)?;
    if let Some(bytes) = settings.send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = settings.receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    Ok(())
}
