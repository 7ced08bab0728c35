//! `--confirm`: a question on standard error before anything is created.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::cli::LaunchArgs;
use crate::probe::{Agrees, Progress};

/// Asks whether to create what was announced. It is asked once: what later rounds create is announced.
pub(super) async fn asks_to_go_on(progress: &dyn Progress) -> bool {
    asks(progress, "Create this, and what later questions need?").await
}

/// Who is asked about twins: nobody where it was agreed beforehand, or where nobody can be.
pub(super) fn agreement(args: &LaunchArgs, progress: &Arc<dyn Progress + Send>) -> Agrees {
    let known = match (args.allow_twin, std::io::stdin().is_terminal()) {
        (true, _) => Some(true),
        (false, true) => None,
        (false, false) => Some(false),
    };
    let progress = Arc::clone(progress);
    Arc::new(move |question| {
        let progress = Arc::clone(&progress);
        Box::pin(async move {
            match known {
                Some(answer) => answer,
                None => asks(progress.as_ref(), &question).await,
            }
        })
    })
}

async fn asks(progress: &dyn Progress, question: &str) -> bool {
    progress.pause();
    let is_yes = is_confirmed(question).await;
    progress.resume();
    is_yes
}

/// Asks a question on stderr and reads one line, on a thread that may be left behind: an interrupt must be heard
/// while nobody answers. Anything but yes is no.
pub(in crate::commands) async fn is_confirmed(question: &str) -> bool {
    let _ = write!(std::io::stderr(), "{question} [y/N] ");
    let (answered, answer) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        let is_yes = read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes");
        let _ = answered.send(is_yes);
    });
    answer.await.unwrap_or(false)
}
