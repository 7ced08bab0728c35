//! What the agents of one node say they have programmed there.

use super::{BadAnswer, ServiceTable, calico, cilium, ovn};
use crate::cluster::NodeFacts;
use crate::nat::dataplane::Dataplane;
use crate::node::Unreadable;

/// Everything that was gathered of a node's dataplane.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    pub cilium: Option<cilium::Agent>,
    /// The Services of Calico eBPF.
    pub calico: Option<ServiceTable>,
    /// The load balancers of OVN.
    pub ovn: Option<ServiceTable>,
}

/// Notes files that are not what their names say, while the rest is read.
#[derive(Default)]
pub(super) struct Reader {
    unreadable: Vec<Unreadable>,
}

// === impl Tables ===

impl Tables {
    /// Reads what was gathered, and lists what could not be read.
    #[must_use]
    pub fn read(facts: &NodeFacts, order: cilium::ByteOrder) -> (Self, Vec<Unreadable>) {
        let mut reader = Reader::default();
        let calico = match &facts.calico_nat {
            Some(_) => reader.take(
                "calico/nat-dump.json",
                facts.calico_nat.as_deref(),
                calico::nat_dump,
            ),
            None => reader.take(
                "calico/nat-dump.txt",
                facts.calico_nat_text.as_deref(),
                calico::nat_dump_text,
            ),
        };
        let balancers = &facts.ovn_load_balancers;
        let tables = Self {
            cilium: cilium::Agent::read(facts, order, &mut reader),
            calico,
            ovn: reader.take(
                "ovn/load-balancers.json",
                balancers.as_deref(),
                ovn::load_balancers,
            ),
        };
        (tables, reader.unreadable)
    }

    /// The Services that are served where no rule shows it, and by whom. Where Cilium leaves them to
    /// kube-proxy its table is empty or beside the point.
    #[must_use]
    pub fn services(&self) -> Option<(Dataplane, &ServiceTable)> {
        let of_cilium = self.cilium.as_ref().and_then(|agent| {
            let is_its_own = agent.replaces_proxy() != Some(false);
            agent.services.as_ref().filter(|_| is_its_own)
        });
        let all = [
            (Dataplane::Cilium, of_cilium),
            (Dataplane::CalicoEbpf, self.calico.as_ref()),
            (Dataplane::OvnKubernetes, self.ovn.as_ref()),
        ];
        all.into_iter().find_map(|(who, table)| Some((who, table?)))
    }
}

// === impl Reader ===

impl Reader {
    /// The value of one file, if it was gathered and can be read.
    pub(super) fn take<T>(
        &mut self,
        file: &'static str,
        text: Option<&str>,
        read: impl FnOnce(&str) -> Result<T, BadAnswer>,
    ) -> Option<T> {
        match read(text?) {
            Ok(value) => Some(value),
            Err(bad) => {
                let why = bad.to_string();
                self.unreadable.push(Unreadable { file, why });
                None
            }
        }
    }
}
