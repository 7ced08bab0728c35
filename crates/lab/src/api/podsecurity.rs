//! Pod Security levels, as the labels of a namespace ask for them.
//!
//! Source: Pod Security Standards; messages as k8s.io/pod-security-admission writes them.

use serde_json::Value;

/// What a namespace's labels lead to for a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Why the pod is refused.
    pub refused: Option<String>,
    /// What its maker is warned of.
    pub warning: Option<String>,
}

/// Added capabilities that the baseline level allows.
const BASELINE: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
const SYSCTLS: [&str; 10] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
];
/// Sources of volumes that the restricted level allows.
const VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
    "image",
];

/// Judges a pod's spec in a namespace.
pub fn judge(namespace: &Value, spec: &Value) -> Judgement {
    let said = |mode: &str, verb: &str| {
        let label = |name: &str| namespace["metadata"]["labels"][name].as_str();
        let key = format!("pod-security.kubernetes.io/{mode}");
        let level = label(&key)?;
        let version = label(&format!("{key}-version")).unwrap_or("latest");
        let found = violations(level, spec);
        (!found.is_empty()).then(|| {
            format!(
                "{verb} PodSecurity \"{level}:{version}\": {}",
                found.join(", ")
            )
        })
    };
    Judgement {
        refused: said("enforce", "violates"),
        warning: said("warn", "would violate"),
    }
}

/// What of a level a pod does not keep, in the order of its checks.
fn violations(level: &str, spec: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if !matches!(level, "baseline" | "restricted") {
        return found;
    }
    let all: Vec<&Value> = ["initContainers", "containers", "ephemeralContainers"]
        .iter()
        .flat_map(|kind| items(&spec[*kind]))
        .collect();
    let restricted = level == "restricted";
    if !restricted {
        let added = offenders(&all, |one| added(one).any(|name| !BASELINE.contains(&name)));
        if !added.is_empty() {
            let names = listed(&all, |name| !BASELINE.contains(&name));
            found.push(format!("non-default capabilities ({} must not include {names} in securityContext.capabilities.add)", named(&added)));
        }
    }
    baseline(spec, &all, &mut found);
    if restricted {
        self::restricted(spec, &all, &mut found);
    }
    found
}

fn baseline(spec: &Value, all: &[&Value], found: &mut Vec<String>) {
    let shared: Vec<String> = ["hostNetwork", "hostPID", "hostIPC"]
        .iter()
        .filter(|field| spec[**field] == true)
        .map(|field| format!("{field}=true"))
        .collect();
    if !shared.is_empty() {
        found.push(format!("host namespaces ({})", shared.join(", ")));
    }
    let paths = quoted(items(&spec["volumes"]).filter(|volume| !volume["hostPath"].is_null()));
    if !paths.is_empty() {
        found.push(format!(
            "hostPath volumes ({} {})",
            plural("volume", &paths),
            paths.join(", ")
        ));
    }
    let ports = |one: &Value| {
        items(&one["ports"])
            .filter_map(|port| port["hostPort"].as_u64())
            .any(|port| port > 0)
    };
    let bad = offenders(all, ports);
    if !bad.is_empty() {
        found.push(format!("hostPort ({} uses hostPort)", named(&bad)));
    }
    let bad = offenders(all, |one| one["securityContext"]["privileged"] == true);
    if !bad.is_empty() {
        found.push(format!(
            "privileged ({} must not set securityContext.privileged=true)",
            named(&bad)
        ));
    }
    let unconfined = |one: &Value| one["securityContext"]["seccompProfile"]["type"] == "Unconfined";
    let bad = offenders(all, unconfined);
    if unconfined(&serde_json::json!({"securityContext": spec["securityContext"]}))
        || !bad.is_empty()
    {
        let who = if bad.is_empty() {
            "pod".to_owned()
        } else {
            named(&bad)
        };
        found.push(format!("seccompProfile ({who} must not set securityContext.seccompProfile.type to \"Unconfined\")"));
    }
    let sysctls: Vec<&str> = items(&spec["securityContext"]["sysctls"])
        .filter_map(|one| one["name"].as_str())
        .filter(|name| !SYSCTLS.contains(name))
        .collect();
    if !sysctls.is_empty() {
        found.push(format!("forbidden sysctls ({})", sysctls.join(", ")));
    }
}

fn restricted(spec: &Value, all: &[&Value], found: &mut Vec<String>) {
    let context = |one: &Value, field: &str| one["securityContext"][field].clone();
    let bad = offenders(all, |one| context(one, "allowPrivilegeEscalation") != false);
    if !bad.is_empty() {
        found.push(format!("allowPrivilegeEscalation != false ({} must set securityContext.allowPrivilegeEscalation=false)", named(&bad)));
    }
    let keeps = offenders(all, |one| {
        let dropped = &one["securityContext"]["capabilities"]["drop"];
        !items(dropped).any(|name| name == "ALL")
    });
    let takes = offenders(all, |one| added(one).any(|name| name != "NET_BIND_SERVICE"));
    let mut why = Vec::new();
    if !keeps.is_empty() {
        why.push(format!(
            "{} must set securityContext.capabilities.drop=[\"ALL\"]",
            named(&keeps)
        ));
    }
    if !takes.is_empty() {
        let names = listed(all, |name| name != "NET_BIND_SERVICE");
        why.push(format!(
            "{} must not include {names} in securityContext.capabilities.add",
            named(&takes)
        ));
    }
    if !why.is_empty() {
        found.push(format!("unrestricted capabilities ({})", why.join("; ")));
    }
    let odd = |volume: &&Value| {
        let sources = volume.as_object().into_iter().flatten();
        sources
            .into_iter()
            .any(|(name, _)| name != "name" && !VOLUMES.contains(&name.as_str()))
    };
    let volumes = quoted(items(&spec["volumes"]).filter(odd));
    if !volumes.is_empty() {
        found.push(format!(
            "restricted volume types ({} {} must use an allowed type)",
            plural("volume", &volumes),
            volumes.join(", ")
        ));
    }
    let shared = &spec["securityContext"];
    let or_pod = |one: &Value, field: &str| {
        let own = context(one, field);
        if own.is_null() {
            shared[field].clone()
        } else {
            own
        }
    };
    let bad = offenders(all, |one| or_pod(one, "runAsNonRoot") != true);
    if !bad.is_empty() {
        found.push(format!(
            "runAsNonRoot != true (pod or {} must set securityContext.runAsNonRoot=true)",
            named(&bad)
        ));
    }
    let bad = offenders(all, |one| context(one, "runAsUser") == 0);
    if !bad.is_empty() || shared["runAsUser"] == 0 {
        let who = if bad.is_empty() {
            "pod".to_owned()
        } else {
            named(&bad)
        };
        found.push(format!("runAsUser=0 ({who} must not set runAsUser=0)"));
    }
    let bad = offenders(all, |one| {
        let profile = or_pod(one, "seccompProfile");
        !matches!(
            profile["type"].as_str(),
            Some("RuntimeDefault" | "Localhost")
        )
    });
    if !bad.is_empty() {
        found.push(format!("seccompProfile (pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")", named(&bad)));
    }
}

/// Containers of which something is true.
fn offenders<'a>(all: &[&'a Value], is: impl Fn(&Value) -> bool) -> Vec<&'a Value> {
    all.iter().copied().filter(|one| is(one)).collect()
}

/// `container "a"`, `containers "a", "b"`.
fn named(some: &[&Value]) -> String {
    let names = quoted(some.iter().copied());
    format!("{} {}", plural("container", &names), names.join(", "))
}

fn plural(word: &str, some: &[String]) -> String {
    format!("{word}{}", if some.len() == 1 { "" } else { "s" })
}

fn quoted<'a>(some: impl Iterator<Item = &'a Value>) -> Vec<String> {
    some.map(|one| format!("\"{}\"", one["name"].as_str().unwrap_or_default()))
        .collect()
}

/// The added capabilities of some kind, quoted and sorted.
fn listed(all: &[&Value], is: impl Fn(&str) -> bool) -> String {
    let names = all
        .iter()
        .flat_map(|one| added(one))
        .filter(|name| is(name));
    let names: std::collections::BTreeSet<String> =
        names.map(|name| format!("\"{name}\"")).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

fn added(container: &Value) -> impl Iterator<Item = &str> {
    items(&container["securityContext"]["capabilities"]["add"]).filter_map(Value::as_str)
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
