//! Hints about the client.

use super::hint;
use crate::causes::Code;
use crate::cluster::access::ServiceExt;
use crate::cluster::{Named, Pod};
use crate::diagnose::objects::ends;
use crate::diagnose::{Case, Finding};
use crate::path::Stage;
use crate::resolve::Place;
use crate::text::list;

pub(super) fn findings(case: &Case<'_, '_>) -> Vec<Finding> {
    [proxied(case), same_name_elsewhere(case)]
        .into_iter()
        .flatten()
        .collect()
}

/// SRC-05: proxy variables that do not leave the destination out.
fn proxied(case: &Case<'_, '_>) -> Option<Finding> {
    let service = *ends::services(case).first()?;
    ends::sources(case).find_map(|pod| {
        let proxy = variable(pod, "HTTP_PROXY").or_else(|| variable(pod, "HTTPS_PROXY"))?;
        let excluded = variable(pod, "NO_PROXY").unwrap_or_default();
        let spared = [
            "svc",
            "cluster.local",
            "*",
            service.name(),
            service.namespace(),
        ];
        let is_spared = excluded
            .split(',')
            .map(|entry| entry.trim().trim_start_matches('.'))
            .any(|entry| spared.contains(&entry));
        (!is_spared).then(|| {
            hint(
                Code::SRC_05,
                Stage::Source,
                format!("HTTP clients in {} use the proxy {proxy}", pod.name()),
            )
            .blame(pod.reference(), "spec.containers[].env")
            .because(format!(
                "NO_PROXY is {excluded:?} and excludes neither .svc nor .cluster.local"
            ))
            .fix("add .svc,.cluster.local and the Service and pod ranges to NO_PROXY")
        })
    })
}

fn variable(pod: &Pod, name: &str) -> Option<String> {
    let containers = pod.running_containers();
    let mut variables = containers
        .into_iter()
        .flat_map(|container| container.env.iter().flatten());
    variables
        .find(|variable| variable.name.eq_ignore_ascii_case(name))
        .and_then(|variable| variable.value.clone())
}

/// SRC-12: the short name means the Service of the client's own namespace, and others have one, too.
fn same_name_elsewhere(case: &Case<'_, '_>) -> Option<Finding> {
    let Place::Name(name) = &case.flow.destination.place else {
        return None;
    };
    let found = ends::services(case)
        .into_iter()
        .find(|service| service.name() == name)?;
    let others: Vec<String> = case
        .view
        .services
        .iter()
        .filter(|other| other.name() == name && other.namespace() != found.namespace())
        .map(|other| format!("{name}.{}", other.namespace()))
        .collect();
    (!others.is_empty()).then(|| {
        hint(
            Code::SRC_12,
            Stage::Dns,
            format!(
                "{name} resolves to the one in {}; {} exists too",
                found.namespace(),
                list(&others)
            ),
        )
        .blame(found.reference(), "metadata.name")
        .because("a short name is looked up in the namespace of the client first")
        .fix(format!("if another one is intended, use {}", others[0]))
    })
}
