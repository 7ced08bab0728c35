//! The mesh configuration (`MeshConfig`), by revision.

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::Value;

use super::super::object::texts;
use crate::cluster::snapshot::document;
use crate::cluster::{ClusterView, Named, ObjectRef, Pod};

/// What the configuration of one revision says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where it was read; none where defaults stand for it.
    pub object: Option<ObjectRef>,
    /// The namespace whose policies count everywhere.
    pub root: String,
    /// The trust domain, and the other names of it.
    pub trust_domains: Vec<String>,
    pub has_auto_mtls: bool,
    pub is_registry_only: bool,
    /// Whether sidecars speak HBONE, too.
    pub has_hbone: bool,
    /// To which namespaces objects are exported that do not say so.
    pub exports: Exports,
    /// Why the text could not be read.
    pub problem: Option<String>,
}

/// Default exports by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exports {
    pub services: Vec<String>,
    pub routes: Vec<String>,
    pub rules: Vec<String>,
}

// === impl Config ===

impl Config {
    /// The configuration that counts for a pod: that of its revision.
    #[must_use]
    pub fn of(view: &ClusterView, pod: Option<&Pod>) -> Self {
        let revision = pod.and_then(revision).filter(|name| name != "default");
        let wanted = revision.map(|name| format!("istio-{name}"));
        let maps = || view.config_maps.iter().filter(|map| is_mesh(map));
        let named = |name: &str| maps().find(|map| map.name() == name);
        let map = wanted.as_deref().and_then(named);
        let map = map.or_else(|| named("istio")).or_else(|| maps().next());
        let Some(map) = map else {
            return Self::read(None, &Value::Null);
        };
        let text = map.data.as_ref().and_then(|data| data.get("mesh"));
        match document(text.map_or("", String::as_str)) {
            Ok(value) => Self::read(Some(map), &value),
            Err(bad) => Self {
                problem: Some(bad.to_string()),
                ..Self::read(Some(map), &Value::Null)
            },
        }
    }

    fn read(map: Option<&ConfigMap>, value: &Value) -> Self {
        let own = map.map_or("istio-system", Named::namespace);
        let text = |field: &str, default: &str| value[field].as_str().unwrap_or(default).to_owned();
        let exports = |field: &str| match texts(&value[field]) {
            list if list.is_empty() => vec!["*".to_owned()],
            list => list.into_iter().map(str::to_owned).collect(),
        };
        let aliases = texts(&value["trustDomainAliases"]);
        let mut trust_domains = vec![text("trustDomain", "cluster.local")];
        trust_domains.extend(aliases.into_iter().map(str::to_owned));
        let hbone = &value["defaultConfig"]["proxyMetadata"]["ISTIO_META_ENABLE_HBONE"];
        Self {
            object: map.map(|map| ObjectRef::new("ConfigMap", map.namespace(), map.name())),
            root: text("rootNamespace", own),
            trust_domains,
            has_auto_mtls: value["enableAutoMtls"].as_bool().unwrap_or(true),
            is_registry_only: value["outboundTrafficPolicy"]["mode"] == "REGISTRY_ONLY",
            has_hbone: hbone == "true" || *hbone == Value::Bool(true),
            exports: Exports {
                services: exports("defaultServiceExportTo"),
                routes: exports("defaultVirtualServiceExportTo"),
                rules: exports("defaultDestinationRuleExportTo"),
            },
            problem: None,
        }
    }

    /// The trust domain itself.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        self.trust_domains.first().map_or("", String::as_str)
    }
}

fn is_mesh(map: &ConfigMap) -> bool {
    let is_named = map.name() == "istio" || map.name().starts_with("istio-");
    is_named
        && map
            .data
            .as_ref()
            .is_some_and(|data| data.contains_key("mesh"))
}

/// The revision that injected a pod's proxy.
pub(super) fn revision(pod: &Pod) -> Option<String> {
    let status = super::super::member::annotation(pod, "sidecar.istio.io/status");
    let status = status.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let of_status = status.and_then(|status| Some(status["revision"].as_str()?.to_owned()));
    of_status.or_else(|| pod.labels().get("istio.io/rev").cloned())
}
