//! `cilium-dbg status -o json`: how the agent is set up, and whether it works.

use serde::Deserialize;

use crate::dataplane::answer::{BadAnswer, json};

/// What the agent says of itself. What a version does not tell is `None` or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// `Ok`, `Warning`, `Failure`, `Disabled`
    pub state: String,
    pub message: String,
    pub replaces_proxy: Option<bool>,
    /// Whether `connect` is translated in the client's own cgroup, and for whom.
    pub socket_lb: bool,
    pub socket_lb_host_only: bool,
    /// `Tunnel` or `Native`
    pub routing: String,
    /// `BPF` or `Legacy`
    pub host_routing: String,
    /// `vxlan` or `geneve`
    pub tunnel: String,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Raw {
    cilium: Said,
    kube_proxy_replacement: Replacement,
    routing: Routing,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Said {
    state: String,
    msg: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Replacement {
    mode: Option<String>,
    features: Features,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Features {
    #[serde(rename = "socketLB")]
    socket_lb: Option<Enabled>,
    #[serde(rename = "hostReachableServices")]
    host_reachable: Option<Enabled>,
    #[serde(rename = "bpfSocketLBHostnsOnly")]
    host_only: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Enabled {
    enabled: bool,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Routing {
    inter_host_routing_mode: String,
    intra_host_routing_mode: String,
    tunnel_protocol: String,
}

/// Reads the status.
///
/// # Errors
/// When the text is no such object.
pub fn status(text: &str) -> Result<Status, BadAnswer> {
    let raw: Raw = json("cilium-dbg status -o json", text)?;
    let replacement = raw.kube_proxy_replacement;
    let socket = replacement
        .features
        .socket_lb
        .or(replacement.features.host_reachable);
    let mode = replacement.mode.map(|mode| mode.to_lowercase());
    Ok(Status {
        state: raw.cilium.state,
        message: raw.cilium.msg,
        replaces_proxy: mode.and_then(|mode| replaces(&mode)),
        socket_lb: socket.is_some_and(|socket| socket.enabled),
        socket_lb_host_only: replacement.features.host_only,
        routing: raw.routing.inter_host_routing_mode,
        host_routing: raw.routing.intra_host_routing_mode,
        tunnel: raw.routing.tunnel_protocol,
    })
}

/// Whether a mode means that Services are Cilium's alone: `true` and `false`, and what was before 1.14
/// `strict`, `partial`, `probe` and `disabled`.
pub(in crate::dataplane) fn replaces(mode: &str) -> Option<bool> {
    match mode.to_lowercase().as_str() {
        "true" | "strict" => Some(true),
        "false" | "disabled" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_older_and_nothing() {
        let new = status(
            r#"{"cilium":{"msg":"ok","state":"Ok"},"kube-proxy-replacement":{"mode":"True","features":
                {"socketLB":{"enabled":true},"bpfSocketLBHostnsOnly":true}},"routing":{"inter-host-routing-mode":"Tunnel",
                "intra-host-routing-mode":"BPF","tunnel-protocol":"vxlan"},"stale":null}"#,
        )
        .unwrap();
        assert!(new.socket_lb && new.socket_lb_host_only);
        assert_eq!(
            (new.replaces_proxy, new.routing.as_str()),
            (Some(true), "Tunnel")
        );
        let old = status(
            r#"{"kube-proxy-replacement":{"mode":"Strict","features":{"hostReachableServices":{"enabled":true}}}}"#,
        )
        .unwrap();
        assert_eq!((old.replaces_proxy, old.socket_lb), (Some(true), true));
        let partial = status(r#"{"kube-proxy-replacement":{"mode":"Partial"}}"#).unwrap();
        assert_eq!(partial.replaces_proxy, None);
        assert_eq!(status("{}").unwrap(), Status::default());
        assert!(status("KVStore: Ok").is_err());
    }
}
