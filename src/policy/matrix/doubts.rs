//! Why it is not known whether something may pass.

use super::Matrix;
use crate::policy::eval::Question;
use crate::policy::policies::Policies;
use crate::policy::truth::Doubt;

// === impl Matrix ===

impl Matrix {
    /// What leaves a pair of classes open, asked of the policies the matrix was made of: the doubts
    /// at each of its open intervals, each once. None where everything is settled.
    #[must_use]
    pub fn doubts(&self, policies: &Policies, source: usize, destination: usize) -> Vec<Doubt> {
        let classes = self.classes();
        let intervals = self.between(source, destination).intervals().iter();
        let mut doubts = Vec::new();
        for interval in intervals.filter(|interval| !interval.is_certain) {
            let judgement = policies.judge(&Question {
                source: &classes[source].end,
                destination: &classes[destination].end,
                protocol: interval.protocol,
                port: interval.ports.first,
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
