//! A port's Server and its authorizations, or the default policy where there is none.

use super::super::connection::{Connection, Reason, Ruling, Sent, Stop};
use super::super::member::{Member, annotation, namespace_annotation};
use super::super::object::{Object, number};
use super::authorization::{Authorization, Client, Outcome, judge};
use super::{Linkerd, stop};
use crate::cluster::{Named, ObjectRef, Pod};
use crate::net::Protocol;
use crate::policy::{Doubt, Truth};

const DEFAULT_POLICY: &str = "config.linkerd.io/default-inbound-policy";
const REQUIRE_IDENTITY: &str = "config.linkerd.io/proxy-require-identity-inbound-ports";

// === impl Linkerd ===

impl<'v> Linkerd<'v> {
    /// Whether the Server of a port tells the proxy not to look into connections.
    pub(in super::super) fn is_opaque(&self, pod: &Pod, port: u16) -> bool {
        let (server, _) = self.server_of(pod, port);
        server.is_some_and(|server| is_opaque(&server))
    }

    /// What the inbound proxy of a pod says of a connection, in words and as a ruling.
    pub(super) fn inbound(
        &self,
        connection: &Connection<'_, 'v>,
        server: &Member<'v>,
        sent: &Sent,
    ) -> (String, Ruling) {
        let identity = sent
            .identity
            .as_ref()
            .map(|identity| self.config.name(identity));
        let client = Client {
            identity: identity.as_deref(),
            address: sent.address,
        };
        let who = identity
            .clone()
            .unwrap_or_else(|| "a client without identity".to_owned());
        let (found, doubts) = self.server_of(server.pod, connection.server_port);
        let Some(found) = found else {
            let (name, ruling) = self.by_default_policy(connection, server, sent, client);
            let ruling = match ruling {
                // A Server of which it is not known whether it counts could decide otherwise.
                Ruling::Pass | Ruling::Stop(_) if !doubts.is_empty() => Ruling::Open(doubts),
                ruling => ruling,
            };
            return (
                format!("intercepted at port 4143, default policy {name}; this is {who}"),
                ruling,
            );
        };
        let summary = format!(
            "intercepted at port 4143, {} decides; this is {who}",
            found.reference()
        );
        let authorizations = self.of_server(&found);
        if !is_opaque(&found) {
            if let Some(doubt) = self.route_of_gateway_api(&found) {
                return (summary, Ruling::Open(vec![doubt]));
            }
            let routes = self.routes_on(&found);
            if !routes.is_empty() {
                return (
                    summary,
                    self.by_route(connection, &found, &routes, &authorizations, client),
                );
            }
        }
        let ruling = match judge(&authorizations, client) {
            Outcome {
                truth: Truth::Yes, ..
            } => Ruling::Pass,
            Outcome {
                truth: Truth::Maybe(doubt),
                ..
            } => Ruling::Open(vec![doubt]),
            outcome => Ruling::Stop(Self::refused(&found, &authorizations, outcome, sent, &who)),
        };
        (summary, ruling)
    }

    /// What is authorized by a Server itself, for all of its routes.
    fn of_server(&self, server: &Object<'v>) -> Vec<Authorization<'_>> {
        let access = match server.text("/spec/accessPolicy") {
            "" => "deny",
            written => written,
        };
        let by = format!("{} spec.accessPolicy", server.reference());
        let mut all: Vec<Authorization<'_>> = self.by_default(access, by).into_iter().collect();
        let policies = self.policies_for(server.namespace(), |kind, name| match kind {
            "Server" => name == server.name(),
            "Namespace" => name == server.namespace(),
            _ => false,
        });
        all.extend(policies.into_iter().map(|(_, one)| one));
        all.extend(self.legacy_for(server));
        all
    }

    /// The Server of a port: by number, or by the name that the pod gives it. The webhook refuses a
    /// second one.
    fn server_of(&self, pod: &Pod, port: u16) -> (Option<Object<'v>>, Vec<Doubt>) {
        let mut doubts = Vec::new();
        let own = self
            .servers
            .iter()
            .filter(|server| server.namespace() == pod.namespace());
        for server in own {
            let wanted = server.at("/spec/port");
            let is_port = match wanted.as_str() {
                Some(name) => {
                    name.parse() == Ok(port) || pod.named_port(name, Protocol::Tcp) == Some(port)
                }
                None => number(wanted) == Some(port),
            };
            if !is_port || !server.at("/spec/podSelector").is_object() {
                continue;
            }
            match server.selects("/spec/podSelector", pod.labels()) {
                Truth::Yes => return (Some(*server), Vec::new()),
                Truth::No => {}
                Truth::Maybe(doubt) => doubts.push(doubt),
            }
        }
        (None, doubts)
    }

    /// The default policy: the pod's annotation, which the injector copies from its namespace, before
    /// that of the installation.
    fn by_default_policy(
        &self,
        connection: &Connection<'_, 'v>,
        server: &Member<'v>,
        sent: &Sent,
        client: Client<'_>,
    ) -> (String, Ruling) {
        let pod = server.pod;
        let own = annotation(pod, DEFAULT_POLICY);
        let of_namespace = namespace_annotation(self.view, pod.namespace(), DEFAULT_POLICY);
        let installed = || {
            let object = self.config.object.clone();
            object.unwrap_or_else(|| {
                ObjectRef::new("ConfigMap", &self.config.namespace, "linkerd-config")
            })
        };
        let field = format!("metadata.annotations[{DEFAULT_POLICY}]");
        let (name, object, field) = match (own, of_namespace) {
            (Some(own), _) => (own, pod.reference(), field),
            (None, Some(name)) if self.view.is_planned() => (
                name,
                ObjectRef::cluster_wide("Namespace", pod.namespace()),
                field,
            ),
            _ => (
                self.config.default_policy.as_str(),
                installed(),
                "data.values proxy.defaultInboundPolicy".to_owned(),
            ),
        };
        let ruling = self.by_policy(connection, server, sent, client, (name, object, &field));
        // A running pod that never got a copy of its namespace's annotation: sources disagree.
        if let (None, Some(other)) = (own, of_namespace.filter(|_| !self.view.is_planned())) {
            let namespace = ObjectRef::cluster_wide("Namespace", pod.namespace());
            let otherwise =
                self.by_policy(connection, server, sent, client, (other, namespace, &field));
            if std::mem::discriminant(&otherwise) != std::mem::discriminant(&ruling) {
                let doubt = Doubt::Other(format!(
                    "namespace {} sets default policy {other}, but {} does not: it is older, and which policy applies to it is uncertain",
                    pod.namespace(),
                    pod.name()
                ));
                return (name.to_owned(), Ruling::Open(vec![doubt]));
            }
        }
        (name.to_owned(), ruling)
    }

    fn by_policy(
        &self,
        connection: &Connection<'_, 'v>,
        server: &Member<'v>,
        sent: &Sent,
        client: Client<'_>,
        (name, object, field): (&str, ObjectRef, &str),
    ) -> Ruling {
        let requires = server.lists(&[REQUIRE_IDENTITY], connection.server_port);
        let wanted = match (name, requires) {
            ("all-unauthenticated" | "audit", Some(_)) => "all-authenticated",
            ("cluster-unauthenticated", Some(_)) => "cluster-authenticated",
            (name, _) => name,
        };
        let authorizations: Vec<Authorization<'_>> = self
            .by_default(wanted, format!("default policy {wanted}"))
            .into_iter()
            .collect();
        let outcome = judge(&authorizations, client);
        match outcome.truth {
            Truth::Yes => return Ruling::Pass,
            Truth::Maybe(doubt) => return Ruling::Open(vec![doubt]),
            Truth::No => {}
        }
        // What identity alone does not cure is a matter of networks.
        let is_network = wanted.starts_with("cluster-") && !outcome.lacks_identity;
        let (object, field) = match requires {
            Some(annotation) if outcome.lacks_identity => (
                server.pod.reference(),
                format!("metadata.annotations[{annotation}]"),
            ),
            _ => (object, field.to_owned()),
        };
        let mut because = outcome.misses;
        because.extend(sent.why.clone().filter(|_| outcome.lacks_identity));
        if is_network {
            because.push(format!(
                "cluster networks: {}",
                self.config.networks().join(", ")
            ));
        }
        let reason = if outcome.lacks_identity {
            Reason::Plaintext
        } else {
            Reason::Unauthorized
        };
        Ruling::Stop(stop(
            reason,
            (object, &field),
            format!(
                "the default policy {wanted} of {} does not allow {}",
                server.pod.name(),
                client.identity.unwrap_or("a client without identity")
            ),
            because,
            match (outcome.lacks_identity, is_network) {
                (true, _) => {
                    "bring the client into the mesh (annotate it with linkerd.io/inject: enabled and restart it)"
                }
                (_, true) => {
                    "add the client's network to clusterNetworks of the installation, or authorize it with a Server"
                }
                _ => "add a Server for the port and an AuthorizationPolicy for the client",
            },
        ))
    }

    /// Why a Server refuses.
    fn refused(
        server: &Object<'v>,
        authorizations: &[Authorization<'_>],
        outcome: Outcome,
        sent: &Sent,
        who: &str,
    ) -> Box<Stop> {
        let object = server.reference();
        if authorizations.is_empty() {
            return stop(
                Reason::NothingAuthorizes,
                (object.clone(), "spec.accessPolicy"),
                format!(
                    "{object} covers the port, but no AuthorizationPolicy authorizes any client"
                ),
                vec!["a Server allows no client by itself (accessPolicy deny)".to_owned()],
                "add an AuthorizationPolicy with a targetRef to the Server for the intended clients",
            );
        }
        let mut because = outcome.misses;
        because.extend(sent.why.clone().filter(|_| outcome.lacks_identity));
        let reason = if outcome.lacks_identity {
            Reason::Plaintext
        } else {
            Reason::Unauthorized
        };
        stop(
            reason,
            (object.clone(), "spec"),
            format!("no AuthorizationPolicy of {object} authorizes {who}"),
            because,
            if outcome.lacks_identity {
                "bring the client into the mesh, so that it has an identity"
            } else {
                "authorize the client: list its identity or network where its peers are listed"
            },
        )
    }
}

/// Protocols that a Server declares and in which no requests are seen.
fn is_opaque(server: &Object<'_>) -> bool {
    ["opaque", "TLS"].contains(&server.text("/spec/proxyProtocol"))
}
