//! Who is authorized: by default policies, AuthorizationPolicies and legacy ServerAuthorizations.

use std::net::IpAddr;

use serde_json::Value;

use super::super::object::{Object, items, texts};
use super::super::text::within;
use super::Linkerd;
use crate::cluster::ObjectRef;
use crate::policy::{Doubt, Truth};

/// One way to be authorized: from some networks, with some identity.
#[derive(Debug, Clone)]
pub(super) struct Authorization<'v> {
    pub by: String,
    /// None for all of them.
    networks: Option<Vec<Network<'v>>>,
    tls: Needs<'v>,
    doubt: Option<Doubt>,
}

#[derive(Debug, Clone)]
struct Network<'v> {
    net: &'v str,
    except: Vec<&'v str>,
}

/// What is asked of the client's TLS.
#[derive(Debug, Clone)]
enum Needs<'v> {
    Nothing,
    /// TLS of the mesh by whomever.
    AnyTls,
    /// One of these identities, as they are matched: exact, `*`, or `*.suffix`.
    Identities(Vec<String>),
    /// Whoever an admission webhook would not have let in.
    Never(&'v str),
}

/// The client as a proxy sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client<'a> {
    pub identity: Option<&'a str>,
    pub address: Option<IpAddr>,
}

/// What all authorizations of a port together say.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub truth: Truth,
    /// Whether an identity alone is what is missing for one of them.
    pub lacks_identity: bool,
    pub misses: Vec<String>,
}

// === impl Authorization ===

impl Authorization<'_> {
    const fn unauthenticated(by: String) -> Self {
        Self {
            by,
            networks: None,
            tls: Needs::Nothing,
            doubt: None,
        }
    }

    fn by_network(&self, client: Client<'_>) -> Truth {
        let Some(networks) = &self.networks else {
            return Truth::Yes;
        };
        Truth::any(networks.iter().map(|network| {
            let inside = within(&[network.net], client.address, "the client");
            inside.and(within(&network.except, client.address, "the client").negate())
        }))
    }

    fn by_tls(&self, client: Client<'_>) -> Truth {
        let Some(identity) = client.identity else {
            return matches!(self.tls, Needs::Nothing).into();
        };
        match &self.tls {
            Needs::Nothing | Needs::AnyTls => Truth::Yes,
            Needs::Identities(wanted) => wanted
                .iter()
                .any(|wanted| match wanted.strip_prefix('*') {
                    Some(suffix) => identity.ends_with(suffix),
                    None => identity == wanted,
                })
                .into(),
            Needs::Never(_) => Truth::No,
        }
    }

    fn words(&self) -> String {
        let who = match &self.tls {
            Needs::Nothing => "anybody".to_owned(),
            Needs::AnyTls => "anybody with TLS of the mesh".to_owned(),
            Needs::Identities(wanted) => wanted.join(", "),
            Needs::Never(why) => format!("nobody: {why}"),
        };
        let networks = self.networks.as_ref().map_or_else(String::new, |networks| {
            let nets: Vec<&str> = networks.iter().map(|network| network.net).collect();
            format!(" from {}", nets.join(", "))
        });
        format!("{} authorizes {who}{networks}", self.by)
    }
}

/// Whether any of them authorizes a client.
pub(super) fn judge(all: &[Authorization<'_>], client: Client<'_>) -> Outcome {
    let mut truth = Truth::No;
    let mut lacks_identity = false;
    for one in all {
        let network = one.by_network(client);
        let mut own = network.clone().and(one.by_tls(client));
        if let Some(doubt) = &one.doubt {
            own = own.or(Truth::Maybe(doubt.clone()));
        }
        let wants_identity = matches!(one.tls, Needs::AnyTls | Needs::Identities(_));
        lacks_identity |= client.identity.is_none() && wants_identity && !network.is_no();
        truth = truth.or(own);
    }
    Outcome {
        truth,
        lacks_identity,
        misses: all.iter().take(4).map(Authorization::words).collect(),
    }
}

// === impl Linkerd ===

impl Linkerd<'_> {
    /// What a default policy, or the `accessPolicy` of a Server, authorizes (`policy-controller/k8s/
    /// index/src/defaults.rs`); none for `deny`.
    pub(super) fn by_default(&self, name: &str, by: String) -> Option<Authorization<'_>> {
        let open = Authorization::unauthenticated(by);
        let cluster = || {
            let networks = self.config.networks().into_iter();
            Some(
                networks
                    .map(|net| Network {
                        net,
                        except: Vec::new(),
                    })
                    .collect(),
            )
        };
        let anybody_known = || Needs::Identities(vec!["*".to_owned()]);
        Some(match name {
            "deny" => return None,
            "all-unauthenticated" | "audit" => open,
            "all-authenticated" => Authorization {
                tls: anybody_known(),
                ..open
            },
            "cluster-unauthenticated" => Authorization {
                networks: cluster(),
                ..open
            },
            "cluster-authenticated" => Authorization {
                networks: cluster(),
                tls: anybody_known(),
                ..open
            },
            "all-tls-unauthenticated" => Authorization {
                tls: Needs::AnyTls,
                ..open
            },
            other => Authorization {
                tls: Needs::Never("it is not known"),
                doubt: Some(Doubt::Other(format!(
                    "{} names the default policy {other}, which is not known",
                    open.by
                ))),
                ..open
            },
        })
    }

    /// The AuthorizationPolicies of a namespace for what a predicate picks by kind and name.
    pub(super) fn policies_for(
        &self,
        namespace: &str,
        is_target: impl Fn(&str, &str) -> bool,
    ) -> Vec<(ObjectRef, Authorization<'_>)> {
        let own = self
            .policies
            .iter()
            .filter(|policy| policy.namespace() == namespace);
        let targeted = own.filter(|policy| {
            is_target(
                policy.text("/spec/targetRef/kind"),
                policy.text("/spec/targetRef/name"),
            )
        });
        targeted
            .map(|policy| (policy.reference(), self.required(policy)))
            .collect()
    }

    /// All of `requiredAuthenticationRefs` must hold; one of each kind at most, and one that is not
    /// there makes the policy authorize nobody.
    fn required(&self, policy: &Object<'_>) -> Authorization<'_> {
        let mut all = Authorization::unauthenticated(policy.reference().to_string());
        for reference in policy.items("/spec/requiredAuthenticationRefs") {
            let name = reference["name"].as_str().unwrap_or_default();
            let place = reference["namespace"]
                .as_str()
                .unwrap_or_else(|| policy.namespace());
            match reference["kind"].as_str().unwrap_or_default() {
                "MeshTLSAuthentication" => match find(&self.by_tls, place, name) {
                    Some(found) if matches!(all.tls, Needs::Nothing) => {
                        all.tls = self.identities(&found);
                    }
                    Some(_) => all.tls = Needs::Never("it requires several identities at once"),
                    None => all.tls = Needs::Never("its MeshTLSAuthentication does not exist"),
                },
                "NetworkAuthentication" => match find(&self.by_network, place, name) {
                    Some(found) if all.networks.is_none() => {
                        all.networks = Some(networks(found.at("/spec/networks")));
                    }
                    Some(_) => all.tls = Needs::Never("it requires several networks at once"),
                    None => {
                        all.tls = Needs::Never("its NetworkAuthentication does not exist");
                        break;
                    }
                },
                "ServiceAccount" if matches!(all.tls, Needs::Nothing) => {
                    all.tls = Needs::Identities(vec![self.config.account(place, name)]);
                }
                "ServiceAccount" => {
                    all.tls = Needs::Never("it requires several identities at once");
                }
                other => {
                    let why = format!("{other} is not known");
                    all.tls = Needs::Never("a reference of it is not known");
                    all.doubt =
                        Some(policy.not_understood("spec.requiredAuthenticationRefs", &why));
                }
            }
        }
        all
    }

    fn identities(&self, found: &Object<'_>) -> Needs<'_> {
        let mut wanted: Vec<String> = texts(found.at("/spec/identities"))
            .into_iter()
            .map(|text| match text {
                "*" => "*".to_owned(),
                // Only a star before a dot stands for anything.
                text if text.starts_with("*.") => text.to_owned(),
                text => text.trim_start_matches('*').to_owned(),
            })
            .collect();
        for reference in found.items("/spec/identityRefs") {
            let name = reference["name"].as_str().unwrap_or_default();
            match reference["kind"].as_str().unwrap_or_default() {
                "ServiceAccount" => {
                    let place = reference["namespace"]
                        .as_str()
                        .unwrap_or_else(|| found.namespace());
                    wanted.push(self.config.account(place, name));
                }
                "Namespace" => {
                    let place = if name.is_empty() {
                        found.namespace()
                    } else {
                        name
                    };
                    wanted.push(self.config.account(place, "*"));
                }
                _ => {}
            }
        }
        Needs::Identities(wanted)
    }

    /// The legacy ServerAuthorizations for a Server; without networks they mean those of the cluster.
    pub(super) fn legacy_for(&self, server: &Object<'_>) -> Vec<Authorization<'_>> {
        let labels = server.labels();
        let own = self
            .legacy
            .iter()
            .filter(|one| one.namespace() == server.namespace());
        own.filter_map(|one| {
            let named = one.at("/spec/server/name");
            let fits = match named.as_str() {
                Some(name) => (name == server.name()).into(),
                None if one.at("/spec/server/selector").is_object() => {
                    one.selects("/spec/server/selector", &labels)
                }
                None => Truth::No,
            };
            let doubt = match fits {
                Truth::No => return None,
                Truth::Yes => None,
                Truth::Maybe(doubt) => Some(doubt),
            };
            let client = one.at("/spec/client");
            let nets = match &client["networks"] {
                Value::Null => {
                    let nets = self.config.networks().into_iter();
                    nets.map(|net| Network {
                        net,
                        except: Vec::new(),
                    })
                    .collect()
                }
                written => networks(written),
            };
            let tls = match &client["meshTLS"] {
                _ if client["unauthenticated"] == true => Needs::Nothing,
                Value::Null => Needs::Never("it names no client"),
                tls if tls["unauthenticatedTLS"] == true => Needs::AnyTls,
                tls => {
                    let mut wanted: Vec<String> = texts(&tls["identities"])
                        .into_iter()
                        .map(str::to_owned)
                        .collect();
                    for account in items(&tls["serviceAccounts"]) {
                        let name = account["name"].as_str().unwrap_or_default();
                        let place = account["namespace"]
                            .as_str()
                            .unwrap_or_else(|| one.namespace());
                        wanted.push(self.config.account(place, name));
                    }
                    Needs::Identities(wanted)
                }
            };
            Some(Authorization {
                by: one.reference().to_string(),
                networks: Some(nets),
                tls: if doubt.is_some() {
                    Needs::Never("it may be for another Server")
                } else {
                    tls
                },
                doubt,
            })
        })
        .collect()
    }
}

fn find<'v>(all: &[Object<'v>], namespace: &str, name: &str) -> Option<Object<'v>> {
    let mut all = all.iter();
    all.find(|one| one.namespace() == namespace && one.name() == name)
        .copied()
}

fn networks(value: &Value) -> Vec<Network<'_>> {
    let list = items(value).iter();
    list.map(|network| Network {
        net: network["cidr"]
            .as_str()
            .or_else(|| network.as_str())
            .unwrap_or_default(),
        except: texts(&network["except"]),
    })
    .collect()
}
