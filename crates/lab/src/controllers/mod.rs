//! The controllers: one loop that brings everything in step after every change, always in the same
//! order, so that a lab does the same thing every time.
//!
//! ```text
//!  change ─► namespaces ─► workloads ─► garbage ─► scheduler ─► kubelet ─► slices ─┐
//!     ▲                                                                            │ again until
//!     └────────────────────────────────────────────────────────────────────────────┘ nothing changes
//!                                              then, on every node: kube-proxy, policy engine
//! ```

mod daemonset;
mod deployment;
mod endpoints;
mod garbage;
pub mod names;
mod namespaces;
mod pods;
mod replicaset;
mod schedule;
mod slices;
mod statefulset;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::hosts;
use super::world::World;

pub use pods::delete as delete_pod;

/// Runs the loop until the lab ends.
pub fn run(world: &Arc<World>) {
    let world = world.clone();
    thread::spawn(move || {
        let mut changes = world.store.subscribe();
        loop {
            changes.mark_unchanged();
            if let Err(error) = reconcile(&world) {
                eprintln!("lab: {error:#}");
                thread::sleep(Duration::from_millis(500));
            }
            if world.runtime.block_on(changes.changed()).is_err() {
                return;
            }
            // Changes come in flocks.
            thread::sleep(Duration::from_millis(2));
        }
    });
}

/// Brings everything in step with the objects as they are.
pub fn reconcile(world: &Arc<World>) -> Result<()> {
    const ENOUGH: usize = 50;
    let _one_at_a_time = world.reconciling.lock();
    for _ in 0..ENOUGH {
        let before = *world.store.subscribe().borrow();
        let store = &world.store;
        namespaces::sync(store, world.authority.pem());
        deployment::sync(store);
        replicaset::sync(store);
        statefulset::sync(store);
        daemonset::sync(store);
        garbage::sync(store);
        schedule::sync(store);
        world.kubelet.sync(world)?;
        slices::sync(store);
        if *world.store.subscribe().borrow() == before {
            break;
        }
    }
    program(world)
}

/// Writes the rules of every node.
fn program(world: &World) -> Result<()> {
    let services: Vec<Service> = world.store.typed("", "services");
    let slices: Vec<EndpointSlice> = world.store.typed("discovery.k8s.io", "endpointslices");
    thread::scope(|scope| {
        let (services, slices) = (&services, &slices);
        let agents = world.proxies.values();
        let jobs: Vec<_> = agents
            .map(|agent| scope.spawn(move || agent.lock().sync(services, slices)))
            .collect();
        for job in jobs {
            job.join()
                .map_err(|_| anyhow::anyhow!("panicked"))
                .flatten()?;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    hosts::sync(world)?;
    world.engine.lock().sync(&world.store, &world.wires)
}
