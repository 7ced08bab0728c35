//! `kubectl netpath snapshot`.

use std::io::Write;

use k8s_openapi::jiff::Timestamp;

use super::{runtime, trace};
use crate::cli::SnapshotArgs;
use crate::cluster::live;
use crate::cluster::snapshot::Capture;
use crate::error::{Error, Exit};
use crate::text::count;

pub(super) fn run(args: &SnapshotArgs, out: &mut dyn Write) -> Result<Exit, Error> {
    let capture = runtime()?.block_on(read(args))?;
    capture.write(&args.dir)?;
    let objects = count(capture.objects.len(), "object");
    writeln!(out, "{objects} written to {}", args.dir.display())?;
    for unread in &capture.unread {
        eprintln!(
            "warning: not read: {} ({}); needs {}",
            unread.what, unread.why, unread.grant
        );
    }
    Ok(Exit::Fine)
}

async fn read(args: &SnapshotArgs) -> Result<Capture, Error> {
    let connection = live::connect(&args.kube).await?;
    let client = &connection.client;
    let version = client.apiserver_version().await.ok();
    let (objects, unread) = match (&args.source, &args.destination) {
        (Some(source), Some(destination)) => {
            let to_namespace = args.to_namespace.as_deref();
            let request = trace::request(source, destination, &connection.namespace, to_namespace)?;
            let mut objects = Vec::new();
            let view = live::read_keeping(client, &request, Some(&mut objects)).await?;
            (objects, view.unread)
        }
        _ => live::read_all(client).await?,
    };
    Ok(Capture {
        objects,
        unread,
        server_version: version.map(|version| version.git_version),
        taken_at: Timestamp::now(),
    })
}
