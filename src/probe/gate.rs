//! What may be created, and until when.

use std::sync::Arc;

use tokio::sync::RwLock;

/// Through which everything passes that creates something. Once it is closed nothing is under way any
/// more, and nothing begins: what is found then is all there is.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<RwLock<()>>);

// === impl Gate ===

impl Gate {
    /// Does something to its end, also if nobody waits for it any more. None where it was given up.
    pub async fn pass<F>(&self, work: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let under_way = Arc::clone(&self.0).read_owned().await;
        let work = tokio::spawn(async move {
            let outcome = work.await;
            drop(under_way);
            outcome
        });
        work.await.ok()
    }

    /// Waits for what is under way, and lets nothing more pass.
    pub async fn close(&self) {
        // Forgotten, it is never given back.
        std::mem::forget(Arc::clone(&self.0).write_owned().await);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn what_is_under_way_ends_and_nothing_begins() {
        let gate = Gate::default();
        let (end, ended) = oneshot::channel();
        // Whoever waits gives up; the work goes on.
        assert!(timeout(SOON, gate.pass(ended)).await.is_err());
        assert!(timeout(SOON, gate.close()).await.is_err());
        end.send(7).expect("it is still under way");
        gate.close().await;
        assert!(timeout(SOON, gate.pass(async {})).await.is_err());
    }
}
