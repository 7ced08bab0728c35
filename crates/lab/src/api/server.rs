//! Connections: TLS, and HTTP over it.

use std::net::TcpListener;
use std::sync::Arc;

use anyhow::{Context, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::handle::handle;
use super::identity::User;
use super::kubeconfig;
use crate::world::World;

/// Where the API answers inside the lab, on the control plane's host.
const PORT: u16 = 6443;

/// Answers from now on: on the listener, which belongs to the world outside, and inside the lab.
pub fn serve(world: &Arc<World>, listener: TcpListener) -> Result<()> {
    let acceptor = TlsAcceptor::from(world.authority.api_server(&names(world))?);
    let address = listener.local_addr()?;
    let control = world.wires.host("cp")?;
    let inside = control
        .enter(|| {
            TcpListener::bind(("::", PORT)).or_else(|_| TcpListener::bind(("0.0.0.0", PORT)))
        })?
        .context("the API's port inside the lab")?;
    for listener in [listener, inside] {
        listener.set_nonblocking(true)?;
        let _context = world.runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (world, acceptor) = (world.clone(), acceptor.clone());
        let runtime = world.runtime.clone();
        runtime.spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    continue;
                };
                tokio::spawn(connection(world.clone(), acceptor.clone(), stream));
            }
        });
    }
    kubeconfig::write(world, address)
}

/// What the server's certificate is for.
fn names(world: &World) -> Vec<String> {
    let service = crate::store::Key::new("", "services", "default", "kubernetes");
    let service = world.store.get(&service);
    let addresses = service.iter().flat_map(|service| {
        let listed = service["spec"]["clusterIPs"].as_array();
        listed
            .into_iter()
            .flatten()
            .filter_map(|one| one.as_str().map(str::to_owned))
            .collect::<Vec<_>>()
    });
    let own = world
        .wires
        .plan
        .control
        .addresses
        .iter()
        .map(ToString::to_string);
    let fixed = [
        "127.0.0.1",
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "api.lab.example",
    ];
    fixed
        .into_iter()
        .map(str::to_owned)
        .chain(addresses)
        .chain(own)
        .collect()
}

/// One client, until it goes.
async fn connection(world: Arc<World>, acceptor: TlsAcceptor, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    let user = certificate.and_then(User::of_certificate);
    let service = service_fn(move |request| handle(world.clone(), user.clone(), request));
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A client that goes away, and a fault that cuts, end their own connection only.
    let _ = serving.with_upgrades().await;
}
