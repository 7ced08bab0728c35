//! What to ask next, from what is known so far. Pure: it ends when nothing is left to ask.
//!
//! ```text
//!  round 1   source pod      its facts · the name · the Service's address · every backend by itself
//!  round 2   source pod      many connects (how much is lost) · other Services (is it the proxy?)
//!                            · HTTP where a port speaks it
//!            destination pod its facts · its own port, by its address and by loopback
//!            nodes (--deep)  their rules, routes, sockets · the backends, without any policy
//! ```

mod applications;
mod control;
mod destinations;
mod names;
mod nodes;
mod source;
mod speech;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use netpath_protocol::Task;

use crate::cluster::ClusterView;
use crate::diagnose::Case;
use crate::net::Protocol;
use crate::observe::{Depth, Observations, Step, Vantage};
use crate::path::{Path, Stage};
use crate::resolve::Site;

/// Backends are asked one by one, but not all of a hundred.
const MAX_BACKENDS: usize = 16;
/// Sources that behave alike are asked once; so many groups of them at most.
const MAX_SOURCES: usize = 3;

/// The next questions, grouped by vantage; empty when everything worth asking was asked.
#[must_use]
pub fn plan(
    case: &Case<'_, '_>,
    seen: &Observations,
    depth: Depth,
    timeout: Duration,
) -> Vec<Step> {
    if depth == Depth::Api {
        return Vec::new();
    }
    let mut asker = Asker {
        case,
        seen,
        depth,
        timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
        wanted: BTreeMap::new(),
    };
    let sources = sources(case);
    for site in &sources {
        asker.source(*site);
    }
    if !seen.is_empty() {
        asker.count();
        asker.measure();
        asker.applications();
        asker.destinations();
        asker.control();
    }
    if depth == Depth::Deep {
        asker.nodes();
    }
    let starts: Vec<Vantage> = sources.into_iter().filter_map(Vantage::of_site).collect();
    let steps = asker.wanted.into_iter().map(|(vantage, tasks)| Step {
        takes_twin: starts.contains(&vantage),
        vantage,
        tasks,
    });
    steps.collect()
}

/// One source of every group that behaves alike.
fn sources<'v>(case: &Case<'_, 'v>) -> Vec<Site<'v>> {
    let mut leads: Vec<Site<'v>> = Vec::new();
    for path in case.paths() {
        let Some(lead) = path.sources.first() else {
            continue;
        };
        if !leads
            .iter()
            .any(|other| other.reference() == lead.reference())
        {
            leads.push(*lead);
        }
    }
    leads.truncate(MAX_SOURCES);
    leads
}

struct Asker<'c, 'v> {
    case: &'c Case<'c, 'v>,
    seen: &'c Observations,
    depth: Depth,
    timeout_ms: u64,
    wanted: BTreeMap<Vantage, Vec<Task>>,
}

// === impl Asker ===

impl<'c, 'v> Asker<'c, 'v> {
    fn ask(&mut self, vantage: &Vantage, task: Task) {
        if self.seen.settles(vantage, &task) {
            return;
        }
        let tasks = self.wanted.entry(vantage.clone()).or_default();
        if !tasks.contains(&task) {
            tasks.push(task);
        }
    }

    const fn view(&self) -> &'v ClusterView {
        self.case.view
    }

    /// The paths that start at a site.
    fn paths_from(&self, site: Site<'v>) -> impl Iterator<Item = &'c Path<'v>> + use<'c, 'v> {
        let reference = site.reference();
        self.case.paths().filter(move |path| {
            path.sources
                .first()
                .is_some_and(|lead| lead.reference() == reference)
        })
    }

    /// Where to ask for a site, if anything can be asked there.
    fn vantage(&self, site: Site<'v>) -> Option<Vantage> {
        let is_able = match site {
            Site::Pod(pod) => !pod.ips().is_empty() && !pod.is_finished(),
            // A node's network is only entered to look into the node.
            Site::Node(_) => self.depth == Depth::Deep,
            Site::Address(_) | Site::Outside(_) => false,
        };
        Vantage::of_site(site).filter(|_| is_able)
    }

    fn reach(
        &mut self,
        vantage: &Vantage,
        to: SocketAddr,
        (attempts, spacing_ms): (u32, u64),
        until_open: bool,
    ) {
        let timeout_ms = self.timeout_ms;
        let task = match self.case.walk.protocol {
            Protocol::Udp => Task::Udp {
                to,
                payload: "0000".to_owned(),
                attempts: 2,
                spacing_ms: 1_000,
                timeout_ms: timeout_ms.min(2_000),
            },
            protocol => Task::Connect {
                to,
                protocol,
                attempts,
                spacing_ms,
                timeout_ms,
                until_open,
                exchange: None,
            },
        };
        self.ask(vantage, task);
    }
}

/// Where the backends of a path listen.
fn backend_addresses<'p>(path: &'p Path<'_>) -> impl Iterator<Item = SocketAddr> + use<'p> {
    let known = path.backends.iter().filter(|backend| backend.port != 0);
    known.filter_map(|backend| Some(SocketAddr::new(backend.address?, backend.port)))
}

/// Whether something was predicted to stop traffic between the endpoints and the destination.
fn is_explained(path: &Path<'_>) -> bool {
    path.breaks
        .iter()
        .any(|seen| matches!(seen.stage(), Stage::EgressPolicy | Stage::IngressPolicy))
}
