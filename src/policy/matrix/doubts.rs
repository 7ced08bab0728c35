//! Why it is not known whether something may pass.

use super::Matrix;
use crate::net::Protocol;
use crate::policy::eval::Question;
use crate::policy::policies::Policies;
use crate::policy::truth::Doubt;

// === impl Matrix ===

impl Matrix {
    /// What leaves a pair of classes open, asked of the policies the matrix was made of: the doubts
    /// at each of its open intervals (or at the one port that counts), each once. None where
    /// everything is settled.
    #[must_use]
    pub fn doubts(
        &self,
        policies: &Policies,
        [source, destination]: [usize; 2],
        port: Option<(Protocol, u16)>,
    ) -> Vec<Doubt> {
        let classes = self.classes();
        let intervals = self.between(source, destination).intervals().iter();
        let asked: Vec<(Protocol, u16)> = port.map_or_else(
            || {
                intervals
                    .filter(|interval| !interval.is_certain)
                    .map(|interval| (interval.protocol, interval.ports.first))
                    .collect()
            },
            |port| vec![port],
        );
        let mut doubts = Vec::new();
        for (protocol, port) in asked {
            let judgement = policies.judge(&Question {
                source: &classes[source].end,
                destination: &classes[destination].end,
                protocol,
                port,
                family: None,
            });
            for doubt in judgement.directions().flat_map(|one| &one.doubts) {
                if !doubts.contains(doubt) {
                    doubts.push(doubt.clone());
                }
            }
        }
        doubts
    }
}
