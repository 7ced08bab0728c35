//! `kubectl netpath snapshot`.

use std::io::Write;

use k8s_openapi::jiff::Timestamp;

use super::known::{Known, Question};
use super::{probe, runtime, trace};
use crate::cli::SnapshotArgs;
use crate::cluster::snapshot::Capture;
use crate::cluster::{Facts, live};
use crate::error::{Error, Exit};
use crate::observe::Depth;
use crate::text::count;
use crate::visible::{say, visible};

pub(super) fn run(args: &SnapshotArgs, out: &mut dyn Write) -> Result<Exit, Error> {
    let runtime = runtime()?;
    let capture = runtime.block_on(read(args))?;
    let written = capture.write(&args.dir)?;
    let objects = count(capture.objects.len(), "object");
    let folder = args.dir.display().to_string();
    writeln!(out, "{objects} written to {}", visible(&folder))?;
    let left_out = written.left_out.values().sum();
    if left_out > 0 {
        let fields = count(left_out, "field");
        writeln!(
            out,
            "{fields} that no diagnosis reads left out: leftOut in snapshot.json"
        )?;
    }
    for unread in &capture.unread {
        say(format_args!(
            "warning: not read: {} ({}); needs {}",
            unread.what, unread.why, unread.grant
        ));
    }
    Ok(Exit::Fine)
}

async fn read(args: &SnapshotArgs) -> Result<Capture, Error> {
    let connection = live::connect(&args.kube).await?;
    let client = &connection.client;
    let version = client.apiserver_version().await.ok();
    let (objects, unread, facts, coverage) =
        if let (Some(source), Some(destination)) = (&args.source, &args.destination) {
            let to_namespace = args.to_namespace.as_deref();
            let request = trace::request(source, destination, &connection.namespace, to_namespace)?;
            let mut objects = Vec::new();
            let view = live::read_keeping(client, &request, Some(&mut objects)).await?;
            let question = Question::new(request, args.launch.timeout);
            let mut known = Known::of(vec![question], &view);
            if args.deep {
                probe::run(client, Depth::Deep, &args.launch, &mut known).await?;
            }
            for left in &known.left {
                say(format_args!("left: {} ({})", left.what, left.why));
            }
            let failed = known.observations.failed.iter();
            let unheard = failed.map(|(vantage, error)| error.unread(vantage));
            let unread = known.world.unread().cloned().chain(unheard).collect();
            let coverage = known.world.view.coverage().cloned();
            (objects, unread, known.world.nodes().to_facts(), coverage)
        } else {
            let (objects, unread) = live::read_all(client).await?;
            (objects, unread, Facts::default(), None)
        };
    Ok(Capture {
        objects,
        facts,
        unread,
        coverage,
        server_version: version.map(|version| version.git_version),
        taken_at: Timestamp::now(),
        anonymize: args.anonymize,
    })
}
