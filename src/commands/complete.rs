//! `kubectl netpath __complete WORD…`: what kubectl asks when somebody presses TAB.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::runtime;
use crate::cli::{Candidate, CompleteArgs, Wanted, cluster_of, wanted};
use crate::cluster::live::KubeArgs;
use crate::cluster::live::{self, Answer};
use crate::cluster::query::Query;
use crate::cluster::{Resource, Scope};
use crate::error::{Error, Exit};
use crate::visible::acts;

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
        Wanted::Ports {
            kind,
            namespace,
            name,
            prefix,
        } => {
            let kube = cluster_of(&args.words);
            let ports = ports(&kube, kind.resource(), namespace.as_deref(), &name);
            let ports = ports.into_iter();
            let ports =
                ports.map(|(text, about)| Candidate::new(format!("{prefix}{text}"), &about));
            (ports.collect(), NO_FILES)
        }
        Wanted::Contexts => (of_kubeconfig(args, live::contexts), NO_FILES),
        Wanted::Clusters => (of_kubeconfig(args, live::clusters), NO_FILES),
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
        // A name that acts is none that can be typed.
        if !candidate.text.starts_with(typed) || candidate.text.contains(acts) {
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

fn of_kubeconfig(args: &CompleteArgs, names: fn(Option<&Path>) -> Vec<String>) -> Vec<Candidate> {
    let kube = cluster_of(&args.words);
    let names = names(kube.kubeconfig.as_deref()).into_iter();
    names.map(|name| Candidate::new(name, "")).collect()
}

/// The ports of an object with what they are, each by its name where it has one; none when the cluster cannot be
/// asked.
fn ports(
    kube: &KubeArgs,
    resource: Resource,
    namespace: Option<&str>,
    name: &str,
) -> Vec<(String, String)> {
    in_time(async {
        let connection = live::connect(kube).await.ok()?;
        let namespace = namespace.unwrap_or(&connection.namespace);
        let query = Query::get(resource, namespace, name);
        let Answer::Found(object) = live::fetch(&connection.client, &query).await.ok()? else {
            return None;
        };
        Some(ports_in(&object))
    })
}

/// A Service's own ports, or those that the containers of a pod or a pod template declare.
fn ports_in(object: &Value) -> Vec<(String, String)> {
    let own = object["spec"]["ports"].as_array().into_iter().flatten();
    let pods = ["/spec", "/spec/template/spec"];
    let pods = pods.iter().filter_map(|path| object.pointer(path));
    let containers = pods.flat_map(|pod| pod["containers"].as_array().into_iter().flatten());
    let declared = containers.flat_map(|one| one["ports"].as_array().into_iter().flatten());
    let all = own
        .map(|port| (port, "port"))
        .chain(declared.map(|port| (port, "containerPort")));
    let ports = all.filter_map(|(port, field)| {
        let number = port[field].as_u64()?;
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        let name = port["name"].as_str();
        let text = name.map_or_else(|| number.to_string(), str::to_owned);
        Some((text, format!("{number} {protocol}")))
    });
    ports.collect()
}

/// The names of a resource, from one short list; none when the cluster cannot be asked.
fn names(kube: &KubeArgs, resource: Resource, namespace: Option<&str>) -> Vec<String> {
    in_time(async {
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
    })
}

/// What was found while somebody still waits for it.
fn in_time<T>(asked: impl Future<Output = Option<Vec<T>>>) -> Vec<T> {
    let answered = runtime()
        .map(|runtime| runtime.block_on(async { tokio::time::timeout(PATIENCE, asked).await }));
    answered
        .ok()
        .and_then(Result::ok)
        .flatten()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ports_are_those_of_services_pods_and_templates() {
        let service = json!({"spec": {"ports": [{"name": "http", "port": 8080}, {"port": 53, "protocol": "UDP"}]}});
        let pod = json!({"spec": {"containers": [{"ports": [{"containerPort": 9090}]}, {}]}});
        let deployment = json!({"spec": {"template": pod}});
        let texts = |object: &Value| {
            let ports = ports_in(object).into_iter();
            ports
                .map(|(text, about)| format!("{text} {about}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(texts(&service), ["http 8080 TCP", "53 53 UDP"]);
        assert_eq!(texts(&pod), ["9090 9090 TCP"]);
        assert_eq!(texts(&deployment), texts(&pod));
    }
}
