//! Joining what a container's own process reads and writes from now on.

use std::sync::Arc;

use futures::Stream;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Wish;
use super::channels::{Outgoing, exit_status, failure, next_input};
use crate::api::pods::Found;
use crate::world::World;

/// Connects the client until the process ends or the client leaves.
pub async fn run(
    world: &Arc<World>,
    found: &Found,
    wish: &Wish,
    out: &Outgoing,
    mut source: impl Stream<Item = Result<Message, Error>> + Unpin,
) -> Value {
    let process = match process(world, found).await {
        Ok(process) => process,
        Err(why) => return failure(&why),
    };
    let mut live = process.log.follow();
    let mut listening = true;
    loop {
        tokio::select! {
            input = next_input(&mut source), if listening => match input {
                Some(input) if wish.stdin => process.send(input),
                Some(_) => {}
                None => listening = false,
            },
            chunk = live.recv() => match chunk {
                Ok((stream, bytes)) => {
                    let wanted = if stream == 1 { wish.stdout } else { wish.stderr };
                    if wanted && !out.send(stream, &bytes).await {
                        break;
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            },
            _ = process.ended() => {
                while let Ok((stream, bytes)) = live.try_recv() {
                    out.send(stream, &bytes).await;
                }
                break;
            }
        }
    }
    // Whatever the process ended with: that shows in the pod's status.
    exit_status(0)
}

async fn process(world: &Arc<World>, found: &Found) -> Result<crate::runtime::Process, String> {
    let missing = || format!("container not found (\"{}\")", found.container);
    let (Some(run), Some(made)) = (found.run.clone(), found.made.clone()) else {
        return Err(missing());
    };
    let own = made.process.lock().clone();
    match own {
        Some(process) if process.exit_code().is_none() => Ok(process),
        Some(_) => Err(missing()),
        None if found.ephemeral => Err(missing()),
        None => {
            let world = world.clone();
            let started = tokio::task::spawn_blocking(move || made.process(&world, &run));
            started
                .await
                .map_err(|error| error.to_string())?
                .map_err(|error| format!("{error:#}"))
        }
    }
}
