//! `kubectl netpath __complete WORD…`: what kubectl asks when somebody presses TAB.

use std::io::Write;
use std::time::Duration;

use super::runtime;
use crate::cli::{Candidate, CompleteArgs, Wanted, cluster_of, wanted};
use crate::cluster::live::KubeArgs;
use crate::cluster::live::{self, Answer};
use crate::cluster::query::Query;
use crate::cluster::{Resource, Scope};
use crate::error::{Error, Exit};

/// Somebody waits with a finger on TAB.
const PATIENCE: Duration = Duration::from_secs(1);
/// More than that nobody reads.
const MOST: u32 = 500;

// The directives of Cobra.
const NO_SPACE: u8 = 2;
const NO_FILES: u8 = 4;
const ONLY_FOLDERS: u8 = 16;

/// Prints candidates, and at last the directive. What goes wrong is silent: the line being typed is no
/// place for messages.
pub(super) fn run(args: &CompleteArgs, out: &mut dyn Write) -> Result<Exit, Error> {
    let typed = args.words.last().map_or("", String::as_str);
    let (candidates, directive) = match wanted(&args.words) {
        Wanted::Words { words, is_open } => {
            let more = if is_open { NO_SPACE } else { 0 };
            (words, NO_FILES | more)
        }
        Wanted::End {
            kind,
            namespace,
            prefix,
            words,
        } => {
            let kube = cluster_of(&args.words);
            let names = names(&kube, kind.resource(), namespace.as_deref());
            let names = names.into_iter().map(|name| format!("{prefix}{name}"));
            let names = names.map(|name| Candidate::new(name, ""));
            // A port or a name may follow.
            (
                words.into_iter().chain(names).collect(),
                NO_FILES | NO_SPACE,
            )
        }
        Wanted::Namespaces => {
            let kube = cluster_of(&args.words);
            let names = names(&kube, Resource::Namespaces, None);
            let names = names.into_iter().map(|name| Candidate::new(name, ""));
            (names.collect(), NO_FILES)
        }
        Wanted::Files => (Vec::new(), 0),
        Wanted::Folders => (Vec::new(), ONLY_FOLDERS),
        Wanted::Nothing => (Vec::new(), NO_FILES),
    };
    for candidate in candidates {
        if !candidate.text.starts_with(typed) {
            continue;
        }
        if candidate.about.is_empty() {
            writeln!(out, "{}", candidate.text)?;
        } else {
            writeln!(out, "{}\t{}", candidate.text, candidate.about)?;
        }
    }
    writeln!(out, ":{directive}")?;
    Ok(Exit::Fine)
}

/// The names of a resource, from one short list; none when the cluster cannot be asked.
fn names(kube: &KubeArgs, resource: Resource, namespace: Option<&str>) -> Vec<String> {
    let asked = async {
        let connection = live::connect(kube).await.ok()?;
        let namespace = namespace.unwrap_or(&connection.namespace);
        let namespace = (resource.scope() == Scope::Namespaced).then_some(namespace);
        let query = Query::list(resource, namespace);
        let query = query.metadata().at_most(MOST);
        let Answer::Found(list) = live::fetch(&connection.client, &query).await.ok()? else {
            return None;
        };
        let items = list["items"].as_array()?.iter();
        let names = items.filter_map(|item| item["metadata"]["name"].as_str());
        Some(names.map(str::to_owned).collect())
    };
    let answered = runtime()
        .map(|runtime| runtime.block_on(async { tokio::time::timeout(PATIENCE, asked).await }));
    answered
        .ok()
        .and_then(Result::ok)
        .flatten()
        .unwrap_or_default()
}
