//! `kubectl netpath agent image FILE`.

use std::fs::File;
use std::io::{BufWriter, Write};

use crate::cli::{AgentArgs, AgentCommand, AgentImageArgs};
use crate::error::{Error, Exit};
use crate::observe::ProbeError;
use crate::probe::archive;
use crate::probe::binary::Agents;

pub(super) fn run(args: &AgentArgs, out: &mut dyn Write) -> Result<Exit, Error> {
    match &args.command {
        AgentCommand::Image(args) => image(args, out),
    }
}

/// Writes the image, and says how it is used.
fn image(args: &AgentImageArgs, out: &mut dyn Write) -> Result<Exit, Error> {
    let agents = Agents::find(args.agent_binary.as_deref()).map_err(|error| match error {
        ProbeError::Binary { why, hint } => Error::usage(why, hint),
        other => Error::usage(other.to_string(), ""),
    })?;
    let written = File::create(&args.file)
        .map(BufWriter::new)
        .and_then(|mut file| {
            archive::write(agents.all(), &args.name, &mut file)?;
            file.flush()
        });
    written.map_err(|error| {
        let file = args.file.display();
        Error::usage(format!("cannot write {file}: {error}"), "")
    })?;
    let platforms: Vec<String> = agents
        .all()
        .iter()
        .map(|agent| format!("linux/{}", agent.arch))
        .collect();
    let (name, file) = (&args.name, args.file.display());
    writeln!(
        out,
        "{name} ({}) written to {file}; load it on the nodes, then probe with --agent-image {name}",
        platforms.join(", ")
    )?;
    Ok(Exit::Fine)
}
