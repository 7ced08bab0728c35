//! Asking an upstream server, from the namespace the asking server lives in.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use hickory_resolver::proto::op::Message;
use tokio::net::UdpSocket;

use crate::net::Ns;

/// How long CoreDNS's `forward` waits for one answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sends a query on to the first upstream that answers.
pub async fn forward(ns: &Ns, query: &[u8], upstreams: &[SocketAddr]) -> Result<Message> {
    for upstream in upstreams {
        if let Ok(answer) = ask(ns, query, *upstream).await {
            return Ok(answer);
        }
    }
    anyhow::bail!("no upstream answers")
}

async fn ask(ns: &Ns, query: &[u8], upstream: SocketAddr) -> Result<Message> {
    let own: IpAddr = match upstream {
        SocketAddr::V4(_) => [0, 0, 0, 0].into(),
        SocketAddr::V6(_) => [0_u16; 8].into(),
    };
    let ns = ns.clone();
    let opened =
        tokio::task::spawn_blocking(move || ns.enter(|| std::net::UdpSocket::bind((own, 0))))
            .await???;
    opened.set_nonblocking(true)?;
    let socket = UdpSocket::from_std(opened)?;
    socket.connect(upstream).await?;
    socket.send(query).await?;
    let mut buffer = vec![0; 65_536];
    let length = tokio::time::timeout(PATIENCE, socket.recv(&mut buffer))
        .await
        .context("no answer")??;
    Ok(Message::from_vec(&buffer[..length])?)
}
