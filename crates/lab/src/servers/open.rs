//! Opening a server's socket in its namespace, and ending it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::serve::serve_tcp;
use super::spec::{Kind, Server};
use super::{Identity, udp};
use crate::net::Ns;
use crate::pki::Authority;

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct Running {
    task: JoinHandle<()>,
}

// === impl Running ===

impl Running {
    /// Ends it and waits until its port is free.
    pub fn end(self) {
        self.task.abort();
        while !self.task.is_finished() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts a server in a namespace.
pub fn start(
    server: &Server,
    ns: &Ns,
    identity: &Identity,
    authority: &Arc<Authority>,
    runtime: &Handle,
) -> Result<Running> {
    let _context = runtime.enter();
    let opened = format!(
        "port {} of {}/{}",
        server.port, identity.namespace, identity.pod
    );
    let task = match &server.kind {
        Kind::UdpEcho { .. } | Kind::UdpNetExec | Kind::UdpSilent => {
            let socket = ns
                .enter(|| first_that_opens(server, udp_socket))?
                .context(opened)?;
            let other = match server.kind {
                Kind::UdpEcho { from: Some(from) } => {
                    Some(ns.enter(|| udp_socket(SocketAddr::new(from, server.port)))??)
                }
                _ => None,
            };
            let socket = tokio::net::UdpSocket::from_std(socket)?;
            runtime.spawn(udp::serve(socket, other, server.clone(), identity.clone()))
        }
        kind => {
            let backlog = if *kind == Kind::Full { 0 } else { 128 };
            let listen = |address| tcp_listener(address, backlog);
            let listener = ns
                .enter(|| first_that_opens(server, listen))?
                .context(opened)?;
            let fillers = if *kind == Kind::Full {
                ns.enter(|| fill(&listener))?
            } else {
                Vec::new()
            };
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let (server, identity, authority) =
                (server.clone(), identity.clone(), authority.clone());
            runtime.spawn(async move {
                serve_tcp(listener, server, identity, authority).await;
                drop(fillers);
            })
        }
    };
    Ok(Running { task })
}

/// The address the server is told, else all of both families, else all of IPv4.
fn first_that_opens<T>(server: &Server, open: impl Fn(SocketAddr) -> Result<T>) -> Result<T> {
    match server.listen {
        Some(address) => open(SocketAddr::new(address, server.port)),
        None => open(SocketAddr::from((Ipv6Addr::UNSPECIFIED, server.port)))
            .or_else(|_| open(SocketAddr::from((Ipv4Addr::UNSPECIFIED, server.port)))),
    }
}

fn tcp_listener(address: SocketAddr, backlog: i32) -> Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket.into())
}

fn udp_socket(address: SocketAddr) -> Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Connections that fill a queue nobody empties: one more than the backlog fits.
fn fill(listener: &TcpListener) -> Vec<Socket> {
    let Ok(address) = listener.local_addr() else {
        return Vec::new();
    };
    let own = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
    let connections = (0..4).map_while(|_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
        // The first fit; the kernel drops the rest.
        let _ = socket.connect_timeout(&own.into(), Duration::from_millis(20));
        Some(socket)
    });
    connections.collect()
}
