//! Serving UDP: echo, silence, or what agnhost's netexec understands.

use std::time::Duration;

use tokio::net::UdpSocket;

use super::Identity;
use super::spec::{Kind, Server};

/// Answers until it is aborted; from `other` where the server answers from another address.
pub async fn serve(
    socket: UdpSocket,
    other: Option<std::net::UdpSocket>,
    server: Server,
    identity: Identity,
) {
    let mut buffer = vec![0; 65_536];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let said = &buffer[..length];
        let answer = match server.kind {
            Kind::UdpEcho { .. } => Some(said.to_vec()),
            Kind::UdpNetExec => netexec(said, &identity, &client.to_string()),
            _ => None,
        };
        tokio::time::sleep(Duration::from_millis(server.delay_ms)).await;
        let Some(answer) = answer else { continue };
        // Whether it arrives is the network's business.
        match &other {
            Some(other) => drop(other.send_to(&answer, client)),
            None => drop(socket.send_to(&answer, client).await),
        }
    }
}

/// `hostname`, `echo TEXT`, `clientip`; anything else is not answered.
fn netexec(said: &[u8], identity: &Identity, client: &str) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(said);
    let text = text.trim();
    let (command, rest) = text.split_once(' ').unwrap_or((text, ""));
    match command.to_lowercase().as_str() {
        "hostname" => Some(identity.pod.clone().into_bytes()),
        "echo" => Some(rest.as_bytes().to_vec()),
        "clientip" => Some(client.as_bytes().to_vec()),
        _ => None,
    }
}
