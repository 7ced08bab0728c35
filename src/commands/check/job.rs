//! `kubectl netpath check SUITE --in-cluster`: the suite as a Job or CronJob, printed or applied.

use std::io::Write;

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::Value;

use crate::cli::CheckArgs;
use crate::cluster::live;
use crate::commands::runtime;
use crate::error::{Error, Exit};
use crate::observe::Depth;
use crate::report::json;
use crate::suite::Suite;
use crate::suite::job::{Wish, objects};

/// Who owns the fields that are applied.
const MANAGER: &str = "kubectl-netpath";

pub(super) fn run(
    args: &CheckArgs,
    suite: &Suite,
    text: &str,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let runtime = runtime()?;
    let connection = match &args.view.kube.namespace {
        // What is only printed needs no cluster.
        Some(_) if !args.job.apply => None,
        _ => Some(runtime.block_on(live::connect(&args.view.kube))?),
    };
    let named = args.view.kube.namespace.as_deref();
    let context = connection.as_ref().map(|one| one.namespace.as_str());
    let flags = flags(args);
    let wish = Wish {
        name: &args.job.job_name,
        namespace: named.or(context).unwrap_or("default"),
        image: &args.job.job_image,
        schedule: args.job.schedule.as_deref(),
        depth: Depth::of(args.probe.no_probe, args.probe.deep),
        debug_namespace: &args.probe.launch.debug_namespace,
        with_twins: args.probe.launch.allow_twin,
        flags: &flags,
    };
    let all = objects(suite, text, &wish);
    if let (true, Some(connection)) = (args.job.apply, &connection) {
        for object in &all {
            runtime.block_on(apply(&connection.client, object, out))?;
        }
        return Ok(Exit::Fine);
    }
    for (position, object) in all.iter().enumerate() {
        if position > 0 {
            writeln!(out, "---")?;
        }
        json::print_yaml(object, out)?;
    }
    Ok(Exit::Fine)
}

/// The words of this command line that the one in the cluster repeats.
fn flags(args: &CheckArgs) -> Vec<String> {
    let mut words = Vec::new();
    let launch = &args.probe.launch;
    let is_set = [
        (args.probe.no_probe, "--no-probe"),
        (args.probe.deep, "--deep"),
        (launch.allow_twin, "--allow-twin"),
    ];
    words.extend(
        is_set
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, flag)| (*flag).to_owned()),
    );
    if !args.only.is_empty() {
        words.extend(["--only".to_owned(), args.only.join(",")]);
    }
    words.extend(["--image".to_owned(), launch.image.clone()]);
    if let Some(image) = &launch.agent_image {
        words.extend(["--agent-image".to_owned(), image.clone()]);
    }
    if args.probe.deep {
        let namespace = launch.debug_namespace.clone();
        words.extend(["--debug-namespace".to_owned(), namespace]);
    }
    words.extend([
        "--timeout".to_owned(),
        format!("{}s", launch.timeout.as_secs()),
    ]);
    words
}

/// Creates an object, or updates it (server-side apply). A Job that is there cannot be changed: it is told.
async fn apply(client: &Client, object: &Value, out: &mut dyn Write) -> Result<(), Error> {
    let word = |pointer: &str| {
        let found = object.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let (api_version, kind, name) = (word("/apiVersion"), word("/kind"), word("/metadata/name"));
    let namespace = word("/metadata/namespace");
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
    let api: Api<DynamicObject> = if namespace.is_empty() {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), &namespace, &resource)
    };
    let display = format!("{}/{name}", kind.to_lowercase());
    let parameters = PatchParams::apply(MANAGER).force();
    match api.patch(&name, &parameters, &Patch::Apply(object)).await {
        Ok(_) => {
            writeln!(out, "{display} applied")?;
            Ok(())
        }
        Err(error) => Err(Error::usage(
            format!("cannot apply {display}: {error}"),
            "print the objects without --apply, and have them applied by someone who may; \
             a Job that exists has to be deleted first",
        )),
    }
}
