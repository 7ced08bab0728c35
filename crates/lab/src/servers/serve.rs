//! Serving TCP: one task per connection, all of which end with the server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::Identity;
use super::pages::serve_pages;
use super::site::{NetExec, serve_http};
use super::spec::{Kind, Server};
use crate::pki::{Authority, Flaw};

/// How much `bulk` sends.
const BULK: usize = 1 << 20;

/// Accepts until it is aborted.
pub async fn serve_tcp(
    listener: TcpListener,
    server: Server,
    identity: Identity,
    authority: Arc<Authority>,
) {
    if server.kind == Kind::Full {
        return std::future::pending().await;
    }
    let tls = match server.kind {
        Kind::Tls { flaw } => acceptor(&authority, &identity, flaw).ok(),
        _ => None,
    };
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        while connections.try_join_next().is_some() {}
        let (server, identity, tls) = (server.clone(), identity.clone(), tls.clone());
        connections.spawn(async move {
            // A client that goes away ends its own connection only.
            let _ = answer(stream, &server, identity, tls).await;
        });
    }
}

async fn answer(
    mut stream: TcpStream,
    server: &Server,
    identity: Identity,
    tls: Option<TlsAcceptor>,
) -> Result<()> {
    let delay = Duration::from_millis(server.delay_ms);
    match &server.kind {
        Kind::Echo => {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let length = stream.read(&mut buffer).await?;
                if length == 0 {
                    break;
                }
                tokio::time::sleep(delay).await;
                stream.write_all(&buffer[..length]).await?;
            }
        }
        Kind::Hostname => {
            tokio::time::sleep(delay).await;
            stream
                .write_all(format!("{}\n", identity.pod).as_bytes())
                .await?;
        }
        Kind::Bulk => {
            tokio::time::sleep(delay).await;
            let (mut reader, mut writer) = stream.split();
            let swallow = async { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await };
            let send = async {
                writer.write_all(&vec![b'x'; BULK]).await?;
                writer.shutdown().await
            };
            tokio::try_join!(swallow, send)?;
        }
        Kind::Reset => {
            // Closing with linger 0 sends RST.
            stream.set_zero_linger()?;
        }
        Kind::Http {
            status,
            server: name,
        } => {
            let site = NetExec {
                identity,
                delay,
                status: *status,
                server: name.clone(),
            };
            serve_http(stream, site).await?;
        }
        Kind::Pages(pages) => serve_pages(stream, pages.clone()).await?,
        Kind::Tls { .. } => {
            let Some(tls) = tls else { return Ok(()) };
            let site = NetExec {
                identity,
                delay,
                status: None,
                server: None,
            };
            serve_http(tls.accept(stream).await?, site).await?;
        }
        _ => {
            // Hang: the connection stays until the other end has enough.
            let mut buffer = [0; 1024];
            while stream.read(&mut buffer).await? > 0 {}
        }
    }
    Ok(())
}

fn acceptor(authority: &Authority, identity: &Identity, flaw: Flaw) -> Result<TlsAcceptor> {
    let namespace = &identity.namespace;
    let names = [
        "localhost".to_owned(),
        identity.pod.clone(),
        format!("*.{namespace}"),
        format!("*.{namespace}.svc"),
        format!("*.{namespace}.svc.cluster.local"),
    ];
    Ok(TlsAcceptor::from(authority.server(
        &identity.pod,
        &names,
        flaw,
    )?))
}
