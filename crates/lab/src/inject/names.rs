//! Names in scripts that only the running cluster knows.
//!
//! | in a script | stands for |
//! | --- | --- |
//! | `@(svc shop/api)` | the Service's ClusterIP |
//! | `@(pod shop/client-1)`, `@(pod shop app=api node2)` | a pod's address; the first that fits, by name |
//! | `@(pod6 …)` | its IPv6 address |
//! | `@(pods shop app=api)` | the addresses of all that fit and are ready, one after the other |
//! | `@(endpoints shop/api 8080)` | what that port of a Service leads to: `10.244.1.2:9090 …`, over IPv4 and where ready |
//! | `@(podnames shop app=api)` | their names |
//! | `@(name shop app=api node2)` | `shop/api-…`, as a place is written |
//! | `@(podname shop app=api node2)` | `api-…` |

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::controllers::is_ready;
use crate::store::{Key, Selector, labels};
use crate::world::World;

/// Puts in what the names stand for.
pub fn expand(world: &World, text: &str) -> Result<String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("@(") {
        let (name, after) = after.split_once(')').context("@( without its end")?;
        expanded += before;
        expanded += &value(world, name).with_context(|| format!("@({name})"))?;
        rest = after;
    }
    Ok(expanded + rest)
}

fn value(world: &World, name: &str) -> Result<String> {
    let words: Vec<&str> = name.split_whitespace().collect();
    let (what, rest) = words.split_first().context("a word is missing")?;
    match *what {
        "svc" => {
            let (namespace, name) = path(rest)?;
            let service = world.store.get(&Key::new("", "services", namespace, name));
            let service = service.context("no such Service")?;
            Ok(text(&service["spec"]["clusterIP"]).to_owned())
        }
        "pod" => address(&*pod(world, rest)?, false),
        "pod6" => address(&*pod(world, rest)?, true),
        "pods" => {
            let pods = pods(world, rest)?;
            let ready = pods.iter().filter(|pod| is_ready(pod));
            let addresses = ready.filter_map(|pod| address(pod, false).ok());
            Ok(addresses.collect::<Vec<_>>().join(" "))
        }
        "endpoints" => {
            let port = rest.get(1).context("a port is missing")?;
            Ok(endpoints(world, path(rest)?, port.parse()?).join(" "))
        }
        "podnames" => {
            let pods = pods(world, rest)?;
            let names = pods.iter().map(|pod| text(&pod["metadata"]["name"]));
            Ok(names.collect::<Vec<_>>().join(" "))
        }
        "podname" => Ok(text(&pod(world, rest)?["metadata"]["name"]).to_owned()),
        "name" => {
            let pod = pod(world, rest)?;
            let meta = &pod["metadata"];
            Ok(format!(
                "{}/{}",
                text(&meta["namespace"]),
                text(&meta["name"])
            ))
        }
        other => bail!("{other}: not understood"),
    }
}

/// What the Service sends to.
fn endpoints(world: &World, (namespace, service): (&str, &str), port: u16) -> Vec<String> {
    let object = world
        .store
        .get(&Key::new("", "services", namespace, service));
    let ports = object.and_then(|object| object["spec"]["ports"].as_array().cloned());
    let asked = ports.into_iter().flatten().find(|one| one["port"] == port);
    let Some(asked) = asked else {
        return Vec::new();
    };
    let slices = world.store.list("discovery.k8s.io", "endpointslices");
    let own = slices.into_iter().filter(|slice| {
        let meta = &slice["metadata"];
        text(&meta["namespace"]) == namespace
            && text(&meta["labels"]["kubernetes.io/service-name"]) == service
            && text(&slice["addressType"]) == "IPv4"
    });
    let leads_to = own.flat_map(|slice| {
        let list = |field: &str| slice[field].as_array().cloned().unwrap_or_default();
        let ports = list("ports").into_iter();
        let target = ports
            .filter(|one| text(&one["name"]) == text(&asked["name"]))
            .find_map(|one| one["port"].as_u64());
        let endpoints = list("endpoints").into_iter();
        let ready = endpoints.filter(|one| one["conditions"]["ready"] != false);
        let address = |one: Value| Some(format!("{}:{}", text(&one["addresses"][0]), target?));
        ready.filter_map(address).collect::<Vec<_>>()
    });
    leads_to.collect()
}

fn path<'a>(words: &[&'a str]) -> Result<(&'a str, &'a str)> {
    let word = words.first().context("a name is missing")?;
    word.split_once('/').context("a name is namespace/name")
}

/// By its name, or by namespace, labels and perhaps node.
fn pod(world: &World, words: &[&str]) -> Result<Arc<Value>> {
    if let [name] = words {
        let (namespace, name) = path(&[name])?;
        let pod = world.store.get(&Key::pod(namespace, name));
        return pod.context("no such pod");
    }
    let mut fitting = pods(world, words)?.into_iter();
    fitting.next().context("no pod fits")
}

/// All of a namespace, some labels and perhaps a node.
fn pods(world: &World, words: &[&str]) -> Result<Vec<Arc<Value>>> {
    let (namespace, selector) = match words {
        [namespace, selector, ..] => (*namespace, *selector),
        _ => bail!("a pod is NAMESPACE/NAME or NAMESPACE LABELS [NODE]"),
    };
    let node = words.get(2);
    let selector = Selector::parse(selector).map_err(|bad| anyhow::anyhow!(bad.0))?;
    let fits = |pod: &Arc<Value>| {
        text(&pod["metadata"]["namespace"]) == namespace
            && selector.matches(&labels(pod))
            && node.is_none_or(|node| text(&pod["spec"]["nodeName"]) == *node)
            && pod["metadata"]["deletionTimestamp"].is_null()
    };
    let pods = world.store.list("", "pods");
    Ok(pods.into_iter().filter(fits).collect())
}

fn address(pod: &Value, ipv6: bool) -> Result<String> {
    let addresses = pod["status"]["podIPs"].as_array().into_iter().flatten();
    let mut own = addresses.map(|one| text(&one["ip"]));
    let found = own.find(|ip| ip.contains(':') == ipv6);
    Ok(found.context("the pod has no such address")?.to_owned())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
