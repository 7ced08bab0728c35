//! `--confirm`: a question on standard error before anything is created.

use std::io::{BufRead, Write};

use tokio::sync::oneshot;

use crate::probe::Progress;

/// Asks whether to create what was announced. It is asked once: what later rounds create is announced.
pub(super) async fn asks_to_go_on(progress: &dyn Progress) -> bool {
    progress.pause();
    let is_yes = is_confirmed("Create this, and what later questions need?").await;
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
