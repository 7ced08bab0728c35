//! A CoreDNS pod: the DNS server, and the HTTP ports its probes ask.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use parking_lot::RwLock;

use super::pod::PodRun;
use crate::dns::{self, Corefile, Resolver};
use crate::servers::{Kind, Server};
use crate::store::Key;
use crate::world::World;

/// `health`, `ready` and `prometheus` of the usual Corefile.
const PORTS: [u16; 3] = [8080, 8181, 9153];

/// Serves DNS as the ConfigMap `coredns` of the pod's namespace says.
pub fn start(world: &Arc<World>, run: &Arc<PodRun>) -> Result<()> {
    let map = Key::new("", "configmaps", &run.store_key.namespace, "coredns");
    let read = |world: &World| {
        let map = world.store.get(&map);
        map.and_then(|map| map["data"]["Corefile"].as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    let mut text = read(world);
    let corefile = Arc::new(RwLock::new(Corefile::parse(&text)));
    let upstream: IpAddr = world.wires.plan.outside.primary();
    let resolver = Resolver {
        source: world.names.clone(),
        corefile: corefile.clone(),
        upstream,
        ns: run.ns.clone(),
    };
    run.keep(dns::start(resolver, &world.runtime)?);
    let servers = PORTS.map(|port| Server {
        port,
        listen: None,
        delay_ms: 0,
        kind: Kind::Http {
            status: None,
            server: None,
        },
    });
    run.serve(world, &servers);
    // The `reload` plugin, which looks more seldom.
    let map = Key::new("", "configmaps", &run.store_key.namespace, "coredns");
    let store = world.store.clone();
    run.keep(world.runtime.spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let object = store.get(&map);
            let now = object
                .as_deref()
                .and_then(|map| map["data"]["Corefile"].as_str())
                .unwrap_or_default();
            if now != text {
                now.clone_into(&mut text);
                *corefile.write() = Corefile::parse(&text);
            }
        }
    }));
    Ok(())
}
