//! What a node makes of a packet to a Service's address: walked once, and looked up for each backend.
//!
//! ```text
//!  question ─► one walk ─► outcomes by endpoint, differences from what kube-proxy ought to have written
//!                               └─ backend 1, backend 2, … each take their own
//! ```

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;

use super::cross;
use super::judge::Claim;
use super::trip::Trip;
use crate::cluster::ObjectRef;
use crate::cluster::access::ServiceExt;
use crate::nat::eval::{Answer, Outcome, Question};
use crate::nat::proxy::Origin;
use crate::world::NodeSite;

/// One packet at one node.
pub(super) struct Distribution {
    asked: Asked,
    pub answer: Answer,
    /// Positions of the outcomes that lead to an address.
    by_endpoint: HashMap<SocketAddr, Vec<usize>>,
    pub claim: Claim,
}

/// All that an answer hangs on.
#[derive(PartialEq)]
struct Asked {
    node: String,
    service: Option<ObjectRef>,
    question: Question,
    origin: Origin,
    address: Option<SocketAddr>,
}

/// The last one: the backends of a Service come one after the other.
#[derive(Default)]
pub(in crate::path) struct Last(RefCell<Option<Rc<Distribution>>>);

// === impl Last ===

impl Last {
    /// The distribution of a trip's packet at its first node.
    pub(super) fn of(
        &self,
        trip: &Trip<'_, '_>,
        node: &NodeSite,
        question: &Question,
    ) -> Rc<Distribution> {
        let asked = Asked {
            node: node.name.clone(),
            service: trip.service.map(ServiceExt::reference),
            question: question.clone(),
            origin: trip.origin(question),
            address: trip.asked,
        };
        let mut last = self.0.borrow_mut();
        if let Some(known) = last.as_ref().filter(|known| known.asked == asked) {
            return Rc::clone(known);
        }
        let found = Rc::new(Distribution::new(trip, node, asked));
        *last = Some(Rc::clone(&found));
        found
    }
}

// === impl Distribution ===

impl Distribution {
    fn new(trip: &Trip<'_, '_>, node: &NodeSite, asked: Asked) -> Self {
        let answer = cross::walk(node, &asked.question);
        let mut by_endpoint: HashMap<SocketAddr, Vec<usize>> = HashMap::new();
        for (position, one) in answer.outcomes.iter().enumerate() {
            let endpoint = SocketAddr::new(one.packet.dst, one.packet.dport);
            by_endpoint.entry(endpoint).or_default().push(position);
        }
        let claim = asked.address.map_or(Claim::None, |address| {
            Claim::of(trip, node, &asked.question, &answer, address)
        });
        Self {
            asked,
            answer,
            by_endpoint,
            claim,
        }
    }

    /// The outcomes that lead to an endpoint.
    pub(super) fn to(&self, endpoint: SocketAddr) -> impl Iterator<Item = &Outcome> {
        let positions = self.by_endpoint.get(&endpoint).into_iter().flatten();
        positions.filter_map(|position| self.answer.outcomes.get(*position))
    }
}
