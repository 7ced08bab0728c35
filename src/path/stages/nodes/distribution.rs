//! What a node makes of a packet to a Service's address: walked once, and looked up for each backend.
//!
//! ```text
//!  question ─► one walk ─► outcomes by endpoint, differences from what kube-proxy ought to have written
//!                               └─ backend 1, backend 2, … each take their own
//! ```

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
    asked: AnswerKey,
    pub answer: Answer,
    /// Positions of the outcomes that lead to an address.
    by_endpoint: HashMap<SocketAddr, Vec<usize>>,
    pub claim: Claim,
}

/// All that an answer hangs on.
#[derive(PartialEq)]
struct AnswerKey {
    node: String,
    service: Option<ObjectRef>,
    question: Question,
    origin: Origin,
    address: Option<SocketAddr>,
}

// === impl Distribution ===

impl Distribution {
    /// The distribution of a trip's packet at its first node; the last one is remembered, since the backends
    /// of a Service come one after the other.
    pub(super) fn of(trip: &Trip<'_, '_>, node: &NodeSite, question: &Question) -> Rc<Self> {
        let asked = AnswerKey {
            node: node.name.clone(),
            service: trip.service.map(ServiceExt::reference),
            question: question.clone(),
            origin: trip.origin(question),
            address: trip.asked,
        };
        let memo = &trip.walker.memo;
        match memo.recall::<Self>().filter(|known| known.asked == asked) {
            Some(known) => known,
            None => memo.keep(Self::new(trip, node, asked)),
        }
    }

    fn new(trip: &Trip<'_, '_>, node: &NodeSite, asked: AnswerKey) -> Self {
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
