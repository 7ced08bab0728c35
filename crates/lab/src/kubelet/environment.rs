//! What a container finds around it: variables, and the files in `/etc` that kubelet writes.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvVar};

use super::pod::PodRun;
use crate::store::Key;
use crate::world::World;

/// The variables of a container.
pub fn of(world: &World, run: &PodRun, container: &Container) -> BTreeMap<String, String> {
    let api = world
        .store
        .get(&Key::new("", "services", "default", "kubernetes"));
    let api = api.and_then(|service| service["spec"]["clusterIP"].as_str().map(str::to_owned));
    let mut all = BTreeMap::from([("HOSTNAME".to_owned(), run.store_key.name.clone())]);
    if let Some(address) = api {
        all.insert("KUBERNETES_SERVICE_HOST".to_owned(), address);
        all.insert("KUBERNETES_SERVICE_PORT".to_owned(), "443".to_owned());
    }
    for variable in container.env.iter().flatten() {
        if let Some(value) = value(world, run, variable) {
            all.insert(variable.name.clone(), value);
        }
    }
    all
}

fn value(world: &World, run: &PodRun, variable: &EnvVar) -> Option<String> {
    let Some(from) = &variable.value_from else {
        return Some(variable.value.clone().unwrap_or_default());
    };
    if let Some(field) = &from.field_ref {
        let pod = world.store.get(&run.store_key)?;
        let pointer = format!("/{}", field.field_path.replace('.', "/"));
        return pod
            .pointer(&pointer)
            .and_then(|value| value.as_str().map(str::to_owned));
    }
    let source = from.config_map_key_ref.as_ref()?;
    let map = world.store.get(&Key::new(
        "",
        "configmaps",
        &run.store_key.namespace,
        &source.name,
    ))?;
    map["data"][&source.key].as_str().map(str::to_owned)
}

/// Files by name.
pub fn etc(run: &PodRun, resolver: &str) -> Vec<(&'static str, String)> {
    let name = &run.store_key.name;
    let spec = run.pod.spec.clone().unwrap_or_default();
    let mut hosts = "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_owned();
    let status = run
        .pod
        .status
        .as_ref()
        .and_then(|status| status.pod_ip.clone());
    if let Some(address) = status {
        hosts += &format!("{address}\t{name}\n");
    }
    for alias in spec.host_aliases.iter().flatten() {
        hosts += &format!(
            "{}\t{}\n",
            alias.ip,
            alias.hostnames.clone().unwrap_or_default().join("\t")
        );
    }
    vec![
        ("hosts", hosts),
        ("hostname", format!("{name}\n")),
        ("resolv.conf", resolver.to_owned()),
        (
            "nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\n".to_owned(),
        ),
        (
            "passwd",
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"
                .to_owned(),
        ),
        ("group", "root:x:0:\nnogroup:x:65534:\n".to_owned()),
        // As busybox's, which asks once.
        ("wgetrc", "tries = 1\n".to_owned()),
    ]
}
