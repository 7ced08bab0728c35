//! The inside of [`control`](super::control): answers the tests and the command line.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;

use anyhow::Result;

use super::control::{Answer, Request, SOCKET};
use super::inject::{expand, inject};
use super::launch::HOME;
use super::world::World;

/// Answers from now on, one thread per question.
pub fn serve(world: &Arc<World>) -> Result<()> {
    let listener = UnixListener::bind(format!("{HOME}/{SOCKET}"))?;
    let world = world.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let world = world.clone();
            std::thread::spawn(move || answer(&world, stream));
        }
    });
    Ok(())
}

/// Reads one request and answers it. A caller that is gone gets nothing.
fn answer(world: &Arc<World>, mut stream: UnixStream) {
    let mut line = String::new();
    let read = stream
        .try_clone()
        .map(BufReader::new)
        .and_then(|mut reader| reader.read_line(&mut line));
    if read.is_err() {
        return;
    }
    let answer = serde_json::from_str(&line)
        .map_err(anyhow::Error::from)
        .and_then(|request| act(world, request))
        .unwrap_or_else(|error| Answer::Failed(format!("{error:#}")));
    if let Ok(text) = serde_json::to_string(&answer) {
        let _ = writeln!(stream, "{text}");
    }
}

fn act(world: &Arc<World>, request: Request) -> Result<Answer> {
    match request {
        Request::Run { place, script } => {
            let (place, script) = (expand(world, &place)?, expand(world, &script)?);
            Ok(world.run(&place, &script)?.into())
        }
        Request::Inject { list } => {
            inject(world, &list)?;
            Ok(Answer::Done)
        }
        Request::Fault { fault } => {
            world.faults.add(fault);
            Ok(Answer::Done)
        }
        Request::NoFaults => {
            world.faults.clear();
            Ok(Answer::Done)
        }
        Request::Calls => Ok(Answer::Called(world.faults.calls())),
        Request::Compact => {
            world.store.compact();
            Ok(Answer::Done)
        }
        Request::Down => {
            world.over.notify_one();
            Ok(Answer::Done)
        }
    }
}
