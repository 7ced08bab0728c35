//! The client's side: what leaves it, and whether it leaves at all.

use k8s_openapi::api::core::v1::{Service, ServicePort};

use super::super::connection::{
    Connection, Identity, Mesh, Passage, Reason, Repair, Requested, Ruling, Side, Stop, Tls,
};
use super::super::http::Known;
use super::super::member::Member;
use super::authn::{Mode, effective};
use super::authz::{At, Call, Decision, decide, is_in_force};
use super::config::Config;
use super::protocol::{Speech, of_port, port_of};
use super::scope::{Scope, is_exported, is_registered};
use super::waypoint::{Bound, is_for, of_pod, of_service};
use super::{Istio, destination_rule, passes_by};
use crate::cluster::access::{ServiceExt, ServiceKind, ServicePortExt};
use crate::cluster::gateway_api::Gateway;
use crate::cluster::{Named, ObjectRef};
use crate::policy::{Doubt, Truth};

// === impl Istio ===

impl<'v> Istio<'v> {
    /// Judges what the client's proxy does, and notes what it sends.
    pub(in super::super) fn client(
        &self,
        connection: &Connection<'_, 'v>,
        client: &Member<'v>,
        server: Option<&Member<'v>>,
        passage: &mut Passage,
    ) {
        let mesh = client.mesh().unwrap_or(Mesh::Istio);
        passage.sent.mesh = Some(mesh);
        let config = Config::of(self.view, Some(client.pod));
        let mut side = Side {
            mesh,
            pod: client.pod.reference(),
            summary: format!("{mesh} of {}", client.pod.name()),
            ruling: Ruling::Pass,
        };
        match mesh {
            Mesh::Ambient => {
                self.through_ztunnel(connection, client, server, &config, (&mut side, passage));
            }
            _ => self.through_sidecar(connection, client, server, &config, (&mut side, passage)),
        }
        passage.client = Some(side);
    }

    fn through_sidecar(
        &self,
        connection: &Connection<'_, 'v>,
        client: &Member<'v>,
        server: Option<&Member<'v>>,
        config: &Config,
        (side, passage): (&mut Side, &mut Passage),
    ) {
        let pod = client.pod;
        if let Some(annotation) = passes_by(pod, connection.asked_address, connection.asked_port) {
            side.summary = format!("passes the sidecar of {} by ({annotation})", pod.name());
            passage.sent.why = Some(format!(
                "{annotation} of {} lets the connection pass its sidecar by",
                pod.reference()
            ));
            return;
        }
        if let Some((container, why)) = client.dead_proxy() {
            side.ruling = Ruling::Stop(Box::new(dead(client, container, &why)));
            return;
        }
        let identity = Identity::of(pod, config.trust_domain());
        side.summary = format!("intercepted at port 15001 as {identity}");
        let mut doubts = self.unjudged(&config.root, pod);
        if let Some(problem) = &config.problem {
            doubts.push(Doubt::Other(format!(
                "the mesh configuration is not understood: {problem}"
            )));
        }
        let scope = Scope::of(self, &config.root, pod);
        match connection.asked {
            Requested::Service { service, port } => {
                match self.out_of_scope(&scope, config, pod, service, port) {
                    Some((object, field, what)) => {
                        Self::unknown_host(&scope, config, (object, field, what), (side, passage));
                    }
                    None => self.speak(
                        connection,
                        server,
                        config,
                        (service, port),
                        &identity,
                        passage,
                    ),
                }
            }
            Requested::Pod => self.to_pod(connection, server, config, &identity, passage),
            Requested::Host(_) | Requested::Address => {
                self.to_outside(connection, &scope, config, (side, passage));
            }
        }
        if matches!(side.ruling, Ruling::Pass) {
            side.ruling = Ruling::open_for(doubts);
        }
    }

    /// What keeps a Service out of a sidecar's sight: its own export, or the Sidecar object.
    fn out_of_scope(
        &self,
        scope: &Scope<'_>,
        config: &Config,
        pod: &crate::cluster::Pod,
        service: &Service,
        port: &ServicePort,
    ) -> Option<(ObjectRef, &'static str, String)> {
        let annotations = service.metadata.annotations.as_ref();
        let own = annotations.and_then(|all| all.get("networking.istio.io/exportTo"));
        let own: Vec<&str> = own.map_or_else(Vec::new, |to| to.split(',').map(str::trim).collect());
        let default: Vec<&str> = config.exports.services.iter().map(String::as_str).collect();
        let to = if own.is_empty() { &default } else { &own };
        if !is_exported(to, service.namespace(), pod.namespace()) {
            let text = format!(
                "{} is not exported to {}",
                service.reference(),
                pod.namespace()
            );
            let field = "metadata.annotations[networking.istio.io/exportTo]";
            return Some((service.reference(), field, text));
        }
        let sidecar = scope.sidecar.as_ref()?;
        let host = self.host_of(service);
        let is_imported = scope.imports(service.namespace(), &host, port.number());
        (!is_imported).then(|| {
            let text = format!(
                "{} does not import {host}:{}",
                sidecar.reference(),
                port.number()
            );
            (sidecar.reference(), "spec.egress", text)
        })
    }

    pub(super) fn host_of(&self, service: &Service) -> String {
        format!(
            "{}.{}.svc.{}",
            service.name(),
            service.namespace(),
            self.domain
        )
    }

    /// A host the sidecar knows nothing of: blocked, or passed on in plaintext.
    fn unknown_host(
        scope: &Scope<'_>,
        config: &Config,
        (object, field, what): (ObjectRef, &str, String),
        (side, passage): (&mut Side, &mut Passage),
    ) {
        let is_blocked = scope.is_registry_only().unwrap_or(config.is_registry_only);
        if is_blocked {
            side.ruling = Ruling::Stop(Box::new(Stop {
                reason: Reason::OutOfScope,
                repair: Repair {
                    summary: match object.kind.as_str() {
                        "Sidecar" => "import the host in spec.egress of the Sidecar".to_owned(),
                        "Service" => "export the Service to the client's namespace".to_owned(),
                        _ => "register the host and port with a ServiceEntry".to_owned(),
                    },
                    patch: None,
                },
                object,
                field: field.to_owned(),
                summary: format!("{what}, and what is not registered is blocked (REGISTRY_ONLY)"),
                because: vec!["the sidecar sends it to BlackHoleCluster".to_owned()],
            }));
        } else {
            side.summary = format!("{what}: passed on as it is (PassthroughCluster)");
            passage.sent.why = Some(format!("{what}, so the sidecar passes it on in plaintext"));
        }
    }

    fn to_outside(
        &self,
        connection: &Connection<'_, 'v>,
        scope: &Scope<'_>,
        config: &Config,
        (side, passage): (&mut Side, &mut Passage),
    ) {
        let namespace = connection.client.map_or("", |pod| pod.namespace());
        let host = match connection.asked {
            Requested::Host(host) => Some(host),
            _ => connection.request.and_then(crate::target::HttpAsked::host),
        };
        let wanted = (host, connection.asked_address);
        let port = connection.asked_port;
        let what = host.map_or_else(
            || {
                connection
                    .asked_address
                    .map_or_else(String::new, |addr| addr.to_string())
            },
            str::to_owned,
        );
        match is_registered(self, scope, namespace, wanted, port) {
            Truth::Yes => side.summary = format!("{what}:{port} is registered by a ServiceEntry"),
            Truth::Maybe(doubt) => side.ruling = Ruling::Open(vec![doubt]),
            Truth::No => {
                let is_hidden =
                    is_registered(self, &Scope::default(), namespace, wanted, port).is_yes();
                let sidecar = scope.sidecar.as_ref();
                let sidecar =
                    sidecar.filter(|_| is_hidden || scope.is_registry_only() == Some(true));
                let (object, field) = match (sidecar, &config.object) {
                    (Some(sidecar), _) if is_hidden => (sidecar.reference(), "spec.egress"),
                    (Some(sidecar), _) => (sidecar.reference(), "spec.outboundTrafficPolicy"),
                    (None, Some(map)) => (map.clone(), "data.mesh outboundTrafficPolicy"),
                    (None, None) => (
                        ObjectRef::new("ConfigMap", &config.root, "istio"),
                        "data.mesh",
                    ),
                };
                let what = if is_hidden {
                    format!("{object} does not import the ServiceEntry of {what}:{port}")
                } else {
                    format!("no ServiceEntry that {namespace} sees registers {what}:{port}")
                };
                Self::unknown_host(scope, config, (object, field, what), (side, passage));
            }
        }
    }

    /// A pod's own address is of no host, unless a headless Service lists it.
    fn to_pod(
        &self,
        connection: &Connection<'_, 'v>,
        server: Option<&Member<'v>>,
        config: &Config,
        identity: &Identity,
        passage: &mut Passage,
    ) {
        let headless = connection
            .server
            .and_then(|pod| port_of(self.view, pod, connection.server_port))
            .filter(|(service, _)| service.service_kind() == ServiceKind::Headless);
        if let Some(known) = headless {
            return self.speak(connection, server, config, known, identity, passage);
        }
        let text =
            "the sidecar has no host for a pod address: it forwards the connection in plaintext";
        passage.sent.why = Some(text.to_owned());
        passage.sent.doubts.push(Doubt::Other(format!(
            "{text}, as far as Istio's code says; releases differ"
        )));
    }

    /// Mutual TLS where the server has a proxy that takes it, unless a DestinationRule says otherwise.
    fn speak(
        &self,
        connection: &Connection<'_, 'v>,
        server: Option<&Member<'v>>,
        config: &Config,
        (service, port): (&'v Service, &'v ServicePort),
        identity: &Identity,
        passage: &mut Passage,
    ) {
        let Some(client) = connection.client else {
            return;
        };
        let host = self.host_of(service);
        let rules = destination_rule::lookup(self, config, client, (&host, service.namespace()));
        let server_mesh = server.and_then(Member::mesh);
        let sent = &mut passage.sent;
        sent.is_direct = true;
        let wish = rules.tls(port.number(), connection.subset);
        if let Some((mode, rule, field)) = &wish {
            sent.rule = Some((rule.reference(), field.clone()));
            sent.tls = match *mode {
                "DISABLE" => Tls::Plain,
                "ISTIO_MUTUAL" if server_mesh == Some(Mesh::Ambient) && config.has_hbone => {
                    Tls::Tunnel
                }
                "ISTIO_MUTUAL" => Tls::Mesh,
                "SIMPLE" | "MUTUAL" => Tls::Foreign,
                other => {
                    let why = format!("{other} is not a known mode");
                    sent.doubts.push(rule.not_understood(field, &why));
                    Tls::Plain
                }
            };
        } else if !config.has_auto_mtls {
            sent.why = Some("enableAutoMtls is off and no DestinationRule sets TLS".to_owned());
        } else if let Some(server) = server {
            sent.tls = match server_mesh {
                Some(Mesh::Istio) => {
                    let own = Config::of(self.view, Some(server.pod));
                    let mode = effective(self, &own.root, server.pod, connection.server_port).mode;
                    if mode == Mode::Disable {
                        Tls::Plain
                    } else {
                        Tls::Mesh
                    }
                }
                Some(Mesh::Ambient) if config.has_hbone => Tls::Tunnel,
                _ => Tls::Plain,
            };
        }
        if matches!(sent.tls, Tls::Mesh | Tls::Tunnel) {
            sent.identity = Some(identity.clone());
        } else if sent.why.is_none() && sent.rule.is_none() && server_mesh == Some(Mesh::Ambient) {
            sent.why = Some("the client's sidecar does not use HBONE".to_owned());
        }
    }

    fn through_ztunnel(
        &self,
        connection: &Connection<'_, 'v>,
        client: &Member<'v>,
        server: Option<&Member<'v>>,
        config: &Config,
        (side, passage): (&mut Side, &mut Passage),
    ) {
        let identity = Identity::of(client.pod, config.trust_domain());
        side.summary = format!("taken over by ztunnel as {identity}");
        passage.sent.is_direct = matches!(connection.asked, Requested::Service { .. });
        let takes_tunnels = match server.and_then(Member::mesh) {
            Some(Mesh::Ambient) => true,
            Some(Mesh::Istio) => config.has_hbone,
            _ => false,
        };
        if takes_tunnels {
            passage.sent.tls = Tls::Tunnel;
            passage.sent.identity = Some(identity.clone());
            side.summary.push_str(", sent to port 15008 (HBONE)");
        } else if server.is_some_and(|server| server.mesh() == Some(Mesh::Istio)) {
            passage.sent.why = Some("the server's sidecar does not accept HBONE".to_owned());
        }
        let bound = match (connection.asked, connection.server) {
            (Requested::Service { service, .. }, _) => {
                of_service(self, service, config.trust_domain())
            }
            (_, Some(pod)) => of_pod(self, pod, config.trust_domain()),
            _ => Bound::No,
        };
        match bound {
            Bound::No => {}
            Bound::Missing { name, why } => {
                passage.notices.push(not_bound(connection, &name, &why));
            }
            Bound::To(waypoint, gateway) => {
                side.summary = format!("{}, by way of waypoint {}", side.summary, waypoint.gateway);
                side.ruling = self.at_waypoint(connection, config, gateway, &identity);
                passage.sent.identity = Some(waypoint.identity.clone());
                passage.sent.address = waypoint.address;
                passage.sent.client = Some(identity);
                passage.sent.waypoint = Some(waypoint);
            }
        }
    }

    /// What the policies say that are for the waypoint, to which the client comes as itself.
    fn at_waypoint(
        &self,
        connection: &Connection<'_, 'v>,
        config: &Config,
        gateway: &Gateway,
        identity: &Identity,
    ) -> Ruling {
        let (service, port) = match connection.asked {
            Requested::Service { service, port } => (Some(service), Some(port)),
            _ => (None, None),
        };
        let policies = self.authorization_policies.iter();
        let policies: Vec<_> = policies
            .filter(|policy| is_in_force(policy) && is_for(policy, &config.root, gateway, service))
            .copied()
            .collect();
        let call = Call {
            caller: Some(identity),
            caller_address: connection.client_address,
            server_address: connection.server_address,
            port: connection.asked_port,
            request: Known(connection.request),
            trust_domains: &config.trust_domains,
        };
        let speech = port.map_or(Speech::Detected, of_port);
        let decision = match (speech, connection.request) {
            (Speech::Tcp, _) => decide(&policies, &call, At::Tcp),
            _ => decide(&policies, &call, At::Http),
        };
        match decision {
            Decision::Allowed => Ruling::Pass,
            Decision::Open(doubts) => Ruling::Open(doubts),
            Decision::Denied(denial) => Ruling::Stop(Box::new(super::server::unauthorized(
                &denial,
                &call,
                "the waypoint",
            ))),
        }
    }
}

/// A proxy that takes connections over and does not serve.
pub(in super::super) fn dead(member: &Member<'_>, container: &str, why: &str) -> Stop {
    let pod = member.pod;
    Stop {
        reason: Reason::ProxyDown,
        object: pod.reference(),
        field: format!("status.containerStatuses[{container}]"),
        summary: format!(
            "{container} of {} is {why}: connections that it intercepts are refused",
            pod.name()
        ),
        because: vec![format!("container {container}: {why}")],
        repair: Repair {
            summary: format!(
                "find out why {container} is not ready; restart the pod once the control plane responds"
            ),
            patch: None,
        },
    }
}

/// A waypoint that is asked for and not bound enforces nothing.
fn not_bound(connection: &Connection<'_, '_>, name: &str, why: &str) -> Stop {
    let object = match (connection.asked, connection.server) {
        (Requested::Service { service, .. }, _) => super::waypoint::binding(service),
        (_, Some(pod)) => pod.reference(),
        _ => ObjectRef::cluster_wide("Gateway", name),
    };
    Stop {
        reason: Reason::RulesLeftOut,
        object,
        field: "metadata.labels[istio.io/use-waypoint]".to_owned(),
        summary: format!(
            "waypoint {name} is asked for and not in force: its policies and routes do nothing"
        ),
        because: vec![why.to_owned()],
        repair: Repair {
            summary: "create the waypoint (istioctl waypoint apply), or correct the label"
                .to_owned(),
            patch: None,
        },
    }
}
