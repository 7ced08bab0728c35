//! What listens on hosts: the outside world's web and DNS servers, and the ports of kubelet and
//! kube-proxy on every node.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use anyhow::Result;
use parking_lot::RwLock;

use super::dns::{self, Corefile, Resolver};
use super::proxy::{Agent, State};
use super::servers::{self, Identity, Kind, Running, Server, http};
use super::world::World;

/// Servers by host and port, with what they were started as.
pub type Doors = BTreeMap<(String, u16), (Server, Running)>;

/// Starts the outside host's servers: DNS for `lab.example`, HTTP on 80, UDP on 8081.
pub fn open_outside(world: &Arc<World>) -> Result<()> {
    let plan = &world.wires.plan;
    let ns = world.wires.host("ext")?.clone();
    let lines = |host: &super::net::Host, names: &str| -> String {
        let lines = host.addresses.iter();
        let lines = lines.map(|address| format!("    {address} {names}\n"));
        lines.collect::<Vec<_>>().concat()
    };
    let text = format!(
        "lab.example {{\n  hosts {{\n{}{}  }}\n}}\n. {{\n  template ANY ANY {{\n    rcode NXDOMAIN\n  }}\n}}\n",
        lines(&plan.outside, "www.lab.example ext.lab.example"),
        lines(&plan.control, "api.lab.example"),
    );
    let resolver = Resolver {
        source: world.names.clone(),
        corefile: Arc::new(RwLock::new(Corefile::parse(&text))),
        upstream: Ipv4Addr::UNSPECIFIED.into(),
        ns,
    };
    // It ends with the lab.
    drop(dns::start(resolver, &world.runtime)?);
    let udp = Server {
        kind: Kind::UdpNetExec,
        ..http(8081)
    };
    for server in [http(80), udp] {
        open(world, "ext", server)?;
    }
    Ok(())
}

/// Opens and closes the nodes' ports as their kube-proxies need them.
pub fn sync(world: &World) -> Result<()> {
    let mut wanted: BTreeMap<(String, u16), Server> = BTreeMap::new();
    for (node, agent) in &world.proxies {
        let servers = of_node(&agent.lock());
        wanted.extend(
            servers
                .into_iter()
                .map(|server| ((node.clone(), server.port), server)),
        );
    }
    world.doors.lock().retain(|(host, port), (server, _)| {
        host == "ext" || wanted.get(&(host.clone(), *port)) == Some(server)
    });
    for ((node, _), server) in wanted {
        open(world, &node, server)?;
    }
    Ok(())
}

fn open(world: &World, host: &str, server: Server) -> Result<()> {
    let key = (host.to_owned(), server.port);
    if world.doors.lock().contains_key(&key) {
        return Ok(());
    }
    let identity = Identity {
        namespace: String::new(),
        pod: host.to_owned(),
    };
    let running = servers::start(
        &server,
        world.wires.host(host)?,
        &identity,
        &world.authority,
        &world.runtime,
    )?;
    world.doors.lock().insert(key, (server, running));
    Ok(())
}

/// kubelet answers always; kube-proxy its mode, its health and the health-check node ports while it runs.
fn of_node(agent: &Agent) -> Vec<Server> {
    let kubelet = Server {
        kind: Kind::Tls {
            flaw: super::pki::Flaw::None,
        },
        ..http(10_250)
    };
    if agent.state == State::Stopped {
        return vec![kubelet];
    }
    let page = |path: &str, status: u16, text: String| (path.to_owned(), (status, text));
    let loopback: IpAddr = Ipv4Addr::LOCALHOST.into();
    let metrics = Server {
        listen: Some(loopback),
        kind: Kind::Pages(BTreeMap::from([page(
            "/proxyMode",
            200,
            agent.mode.as_str().to_owned(),
        )])),
        ..http(10_249)
    };
    let health = Server {
        kind: Kind::Pages(BTreeMap::from([page(
            "/healthz",
            200,
            "{\"nodeEligible\": true}".to_owned(),
        )])),
        ..http(10_256)
    };
    let checks = agent.health_checks().into_iter().map(|(port, local)| {
        let status = if local > 0 { 200 } else { 503 };
        let text = format!("{{\"localEndpoints\": {local}, \"serviceProxyHealthy\": true}}");
        Server {
            kind: Kind::Pages(BTreeMap::from([
                page("/", status, text.clone()),
                page("/healthz", status, text),
            ])),
            ..http(port)
        }
    });
    [kubelet, metrics, health]
        .into_iter()
        .chain(checks)
        .collect()
}
