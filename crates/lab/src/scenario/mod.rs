//! Scenario folders: the objects that build the cluster, and what breaks it.
//!
//! ```text
//!  NAME/objects.yaml   the cluster, or what comes on top of `base`
//!  NAME/inject.yaml    {base, lab, inject, checks}; without it nothing is broken
//!  NAME/expect.json    what a diagnosis must say (not read here, but for `proxyMode`)
//! ```
//!
//! A folder of recordings has no `inject.yaml`: its objects build the cluster as it was.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::api::Fault;
use super::net::{Links, Transport};
use super::options::Options;
use super::proxy::{Backend, Mode, State};
use super::store;

mod dual;

use dual::dual_stack;

/// A scenario, ready to build.
#[derive(Debug, Clone, Default)]
pub struct Scenario {
    pub name: String,
    pub objects: Vec<Value>,
    pub settings: Settings,
    pub inject: Vec<Injection>,
    pub checks: Vec<Check>,
    pub question: Question,
}

/// What netpath is asked in a scenario, and what it should find.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// The words of the command line; `@(…)` as in scripts.
    pub ask: Vec<String>,
    pub namespace: String,
    /// Any of these may decide; none for a healthy world.
    pub codes: Vec<String>,
    /// Who is to blame: `Service/shop/api`.
    pub object: Option<String>,
    /// By default Reachable or Unreachable, as there are codes; `|` parts others.
    pub verdict: Option<String>,
}

/// How the cluster is built.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    pub proxy: Option<Mode>,
    pub iptables: Option<Backend>,
    pub transport: Option<Transport>,
    /// MTUs of single links: `{node2: 1400, shop/client-1: 1300}`.
    pub mtu: Links,
    /// The pods' ranges; by default guessed from the podCIDRs.
    #[serde(rename = "clusterCIDR")]
    pub cluster_cidr: Vec<IpNet>,
    /// `false`: no engine enforces NetworkPolicies.
    pub policy: Option<bool>,
}

/// One thing that is done to a cluster that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Injection {
    /// By which a test leaves it out; where several are injected together, the code it must be found by.
    #[serde(default)]
    pub name: String,
    /// Only where services are programmed this way.
    #[serde(default)]
    pub only: Option<Mode>,
    #[serde(flatten)]
    pub act: Act,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Act {
    /// A shell script at a place: `{at: node1, run: …}`.
    Run { at: String, run: String },
    /// A change of an object: `{patch: Service/shop/api, with: {spec: …}}`, a merge patch (RFC 7386).
    Patch { patch: String, with: Value },
    /// Objects to add or replace.
    Apply { apply: Vec<Value> },
    /// An object to remove.
    Delete { delete: String },
    /// What a node's kube-proxy does; `flush` takes its rules away, too, and `hostname` is what it
    /// takes its node's name to be.
    Proxy {
        proxy: String,
        state: State,
        #[serde(default)]
        flush: bool,
        #[serde(default)]
        hostname: Option<String>,
    },
    /// Whether NetworkPolicies are enforced: `{policy: false}`.
    Policy { policy: bool },
    /// A fault of the API server: `{api: {path: /pods, status: 429, times: 2}}`.
    Api { api: Fault },
    /// The servers of a pod, in place of those of its spec: `{servers: shop/api-x, are: "tcp:9090 hang"}`.
    Servers { servers: String, are: String },
}

/// A proof with plain tools that a world is as it should be. Before anything is injected, every
/// script succeeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Check {
    pub at: String,
    pub run: String,
    /// Whether the script must fail in the broken world.
    #[serde(default)]
    pub fails: bool,
    /// Whether it means something in the broken world alone.
    #[serde(default)]
    pub broken_only: bool,
    #[serde(default)]
    pub only: Option<Mode>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct InjectFile {
    base: Option<PathBuf>,
    lab: Settings,
    inject: Vec<Injection>,
    checks: Vec<Check>,
    ask: Vec<String>,
    namespace: Option<String>,
    codes: Vec<String>,
    object: Option<String>,
    verdict: Option<String>,
}

// === impl Scenario ===

impl Scenario {
    /// Reads a scenario and lays the options over it.
    pub fn load(options: &Options) -> Result<Self> {
        let world = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/world");
        let path = options.scenario.clone().unwrap_or(world);
        let mut scenario = Self::read(&path)?;
        scenario.name = path
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        if options.dual {
            dual_stack(&mut scenario.objects);
        }
        let settings = &mut scenario.settings;
        settings.proxy = options.proxy.or(settings.proxy);
        settings.iptables = options.iptables.or(settings.iptables);
        settings.transport = options.transport.or(settings.transport);
        settings.mtu = options.mtu.clone().over(std::mem::take(&mut settings.mtu));
        let mode = settings.proxy.unwrap_or_default();
        let left_out = |name: &String| options.without.iter().any(|one| one == "*" || one == name);
        scenario
            .inject
            .retain(|one| !left_out(&one.name) && one.only.is_none_or(|only| only == mode));
        scenario
            .checks
            .retain(|one| one.only.is_none_or(|only| only == mode));
        Ok(scenario)
    }

    fn read(path: &Path) -> Result<Self> {
        if path.is_file() {
            let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
            return Ok(Self {
                objects: store::read(&text).with_context(|| path.display().to_string())?,
                ..Self::default()
            });
        }
        if !path.is_dir() {
            bail!("{}: no such scenario", path.display());
        }
        let file: InjectFile = match std::fs::read_to_string(path.join("inject.yaml")) {
            Ok(text) => serde_saphyr::from_str(&text)
                .with_context(|| path.join("inject.yaml").display().to_string())?,
            Err(_) => InjectFile::default(),
        };
        let mut scenario = match &file.base {
            Some(base) => Self::read(&path.join(base))?,
            None => Self::default(),
        };
        let objects = path.join("objects.yaml");
        if objects.exists() {
            scenario.overlay(Self::read(&objects)?.objects);
        }
        scenario.settings = file.lab.over(scenario.settings);
        scenario.inject.extend(file.inject);
        // A scenario that breaks nothing is as healthy as what it stands on.
        if !file.checks.is_empty() || !scenario.inject.is_empty() {
            scenario.checks = file.checks;
        }
        scenario.question = Question {
            ask: file.ask,
            namespace: file.namespace.unwrap_or_else(|| "shop".to_owned()),
            codes: file.codes,
            object: file.object,
            verdict: file.verdict,
        };
        if let Ok(expect) = std::fs::read_to_string(path.join("expect.json")) {
            let expect: Value =
                serde_json::from_str(&expect).with_context(|| format!("{}", path.display()))?;
            let recorded = Mode::deserialize(&expect["proxyMode"]).ok();
            scenario.settings.proxy = scenario.settings.proxy.or(recorded);
        }
        Ok(scenario)
    }

    /// Puts objects on top: the later of two of one name wins.
    fn overlay(&mut self, objects: Vec<Value>) {
        for object in objects {
            let same = |one: &Value| {
                ["kind", "apiVersion"]
                    .iter()
                    .all(|field| one[*field] == object[*field])
                    && one["metadata"]["name"] == object["metadata"]["name"]
                    && one["metadata"]["namespace"] == object["metadata"]["namespace"]
            };
            match self.objects.iter_mut().find(|one| same(one)) {
                Some(place) => *place = object,
                None => self.objects.push(object),
            }
        }
    }
}

// === impl Settings ===

impl Settings {
    /// These, and where they say nothing, the others.
    fn over(self, under: Self) -> Self {
        Self {
            proxy: self.proxy.or(under.proxy),
            iptables: self.iptables.or(under.iptables),
            transport: self.transport.or(under.transport),
            mtu: self.mtu.over(under.mtu),
            cluster_cidr: if self.cluster_cidr.is_empty() {
                under.cluster_cidr
            } else {
                self.cluster_cidr
            },
            policy: self.policy.or(under.policy),
        }
    }
}
