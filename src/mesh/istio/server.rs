//! The server's side: what it takes, and from whom.

use serde_json::json;

use super::super::connection::{
    Connection, Mesh, Passage, Reason, Repair, Ruling, Sent, Side, Stop, Tls,
};
use super::super::http::Known;
use super::super::member::Member;
use super::authn::{Effective, Mode, effective};
use super::authz::{At, Call, Decision, Denial, decide};
use super::client::dead;
use super::config::Config;
use super::protocol::{Speech, of_pod};
use super::{Istio, is_left_out};
use crate::cluster::{Named, ObjectRef};
use crate::policy::Doubt;

// === impl Istio ===

impl<'v> Istio<'v> {
    /// Judges what the server's proxy does with what was sent.
    pub(in super::super) fn server(
        &self,
        connection: &Connection<'_, 'v>,
        server: &Member<'v>,
        passage: &mut Passage,
    ) {
        let mesh = server.mesh().unwrap_or(Mesh::Istio);
        let config = Config::of(self.view, Some(server.pod));
        let mut side = Side {
            mesh,
            pod: server.pod.reference(),
            summary: format!("{mesh} of {}", server.pod.name()),
            ruling: Ruling::Pass,
        };
        let port = connection.server_port;
        let is_sidecar = mesh == Mesh::Istio;
        if let Some(annotation) = is_left_out(server.pod, port).filter(|_| is_sidecar) {
            side.summary = format!("port {port} passes the sidecar by ({annotation})");
            side.ruling = bypassed(connection, server, &passage.sent, annotation);
            passage.server = Some(side);
            return;
        }
        if let Some((container, why)) = server.dead_proxy() {
            side.ruling = Ruling::Stop(Box::new(dead(server, container, &why)));
            passage.server = Some(side);
            return;
        }
        let mode = effective(self, &config.root, server.pod, port);
        side.summary = summary(mesh, &mode, &passage.sent);
        let mut doubts = mode.doubts.clone();
        side.ruling = match self.handshake(connection, server, &mode, &passage.sent) {
            Ruling::Pass => self.authorize(connection, server, &config, &passage.sent, &mut doubts),
            // A stop that rests on plaintext nobody is sure of is none.
            Ruling::Stop(_) if !passage.sent.doubts.is_empty() => {
                Ruling::Open(passage.sent.doubts.clone())
            }
            other => other,
        };
        if is_sidecar {
            doubts.extend(self.unjudged(&config.root, server.pod));
        }
        match &mut side.ruling {
            Ruling::Pass => side.ruling = Ruling::open_for(doubts),
            Ruling::Open(open) => open.extend(doubts),
            Ruling::Stop(_) => {}
        }
        passage.server = Some(side);
    }

    /// Whether both sides agree on TLS.
    fn handshake(
        &self,
        connection: &Connection<'_, 'v>,
        server: &Member<'v>,
        mode: &Effective,
        sent: &Sent,
    ) -> Ruling {
        let is_ambient = server.mesh() == Some(Mesh::Ambient);
        match (mode.mode, sent.tls) {
            (Mode::Strict, Tls::Plain) => Ruling::Stop(Box::new(plaintext(server, mode, sent))),
            (Mode::Strict, Tls::Foreign) => {
                disagree(server, mode, sent, "brings no certificate of the mesh")
            }
            (Mode::Disable, Tls::Mesh) if !is_ambient && sent.rule.is_some() => disagree(
                server,
                mode,
                sent,
                "uses mutual TLS, but the server's proxy accepts plaintext only",
            ),
            (_, Tls::Foreign) => self.foreign(connection, sent),
            _ => Ruling::Pass,
        }
    }

    /// TLS that no proxy ends reaches the application, which speaks what the port's name says.
    fn foreign(&self, connection: &Connection<'_, 'v>, sent: &Sent) -> Ruling {
        let server = connection.server;
        let speech = server.map_or(Speech::Detected, |pod| {
            of_pod(self.view, pod, connection.server_port)
        });
        match (&sent.rule, speech, server) {
            (Some((rule, field)), Speech::Http, Some(pod)) => Ruling::Stop(Box::new(Stop {
                reason: Reason::TlsDisagrees,
                object: rule.clone(),
                field: field.clone(),
                summary: format!(
                    "{rule} makes the client use TLS to {}, whose port name says plain HTTP",
                    pod.name()
                ),
                because: vec!["no proxy ends this TLS: it reaches the application".to_owned()],
                repair: Repair {
                    summary:
                        "leave tls out: mutual TLS of the mesh is then used where both ends have it"
                            .to_owned(),
                    patch: None,
                },
            })),
            (rule, ..) => Ruling::Open(vec![Doubt::Other(format!(
                "{} makes the client use TLS; whether the application does is unknown",
                rule.as_ref()
                    .map_or_else(String::new, |(rule, _)| rule.to_string())
            ))]),
        }
    }

    /// A server without a proxy: what the client's side sends must be what the application speaks.
    pub(in super::super) fn plain_server(
        &self,
        connection: &Connection<'_, 'v>,
        server: &Member<'v>,
        passage: &mut Passage,
    ) {
        let ruling = match (passage.sent.tls, &passage.sent.rule) {
            (Tls::Mesh, Some((rule, field))) => Ruling::Stop(Box::new(Stop {
                reason: Reason::TlsDisagrees,
                object: rule.clone(),
                field: field.clone(),
                summary: format!(
                    "{rule} sets mesh mutual TLS, but {} has no proxy that terminates it",
                    server.pod.name()
                ),
                because: server.why_plain().into_iter().collect(),
                repair: Repair {
                    summary:
                        "omit tls (the default adapts to the server), or add the server to the mesh"
                            .to_owned(),
                    patch: None,
                },
            })),
            (Tls::Foreign, Some(_)) => self.foreign(connection, &passage.sent),
            _ => return,
        };
        if let Some(side) = passage
            .client
            .as_mut()
            .filter(|side| matches!(side.ruling, Ruling::Pass))
        {
            side.ruling = ruling;
        }
    }

    fn authorize(
        &self,
        connection: &Connection<'_, 'v>,
        server: &Member<'v>,
        config: &Config,
        sent: &Sent,
        doubts: &mut Vec<Doubt>,
    ) -> Ruling {
        let policies = self.policies(&config.root, server.pod, doubts);
        let call = Call {
            caller: sent.identity.as_ref(),
            caller_address: sent.address,
            server_address: connection.server_address,
            port: connection.server_port,
            request: Known(connection.request),
            trust_domains: &config.trust_domains,
        };
        let decision = match server.mesh() {
            Some(Mesh::Ambient) => decide(&policies, &call, At::Ztunnel),
            _ => match of_pod(self.view, server.pod, connection.server_port) {
                Speech::Http => decide(&policies, &call, At::Http),
                Speech::Tcp => decide(&policies, &call, At::Tcp),
                Speech::Detected if connection.request.is_some() => {
                    decide(&policies, &call, At::Http)
                }
                Speech::Detected => either(
                    decide(&policies, &call, At::Http),
                    decide(&policies, &call, At::Tcp),
                ),
            },
        };
        let denial = match decision {
            Decision::Allowed => return Ruling::Pass,
            Decision::Open(doubts) => return Ruling::Open(doubts),
            // Who is not known to come in plaintext may be allowed after all.
            Decision::Denied(_) if !sent.doubts.is_empty() => {
                return Ruling::Open(sent.doubts.clone());
            }
            Decision::Denied(denial) => denial,
        };
        let place = match server.mesh() {
            Some(Mesh::Ambient) => "ztunnel",
            _ => "the server's sidecar",
        };
        let mut stop = unauthorized(&denial, &call, place);
        if let (Some(waypoint), Some(client)) = (&sent.waypoint, &sent.client) {
            let as_itself = Call {
                caller: Some(client),
                caller_address: connection.client_address,
                ..call
            };
            if matches!(
                decide(&policies, &as_itself, At::Ztunnel),
                Decision::Allowed
            ) {
                stop.reason = Reason::SeesWaypoint;
                stop.because.push(format!(
                    "behind {} the server's ztunnel sees {}, not {client}",
                    waypoint.gateway, waypoint.identity
                ));
                stop.repair = Repair {
                    summary: format!(
                        "move the list to a policy with targetRefs to the Service, and allow {} here",
                        waypoint.identity
                    ),
                    patch: None,
                };
            }
        }
        Ruling::Stop(Box::new(stop))
    }
}

/// What holds in both of two cases.
fn either<'v>(one: Decision<'v>, other: Decision<'v>) -> Decision<'v> {
    match (one, other) {
        (Decision::Allowed, Decision::Allowed) => Decision::Allowed,
        (Decision::Denied(denial), Decision::Denied(_)) => Decision::Denied(denial),
        (Decision::Open(doubts), _) | (_, Decision::Open(doubts)) => Decision::Open(doubts),
        _ => Decision::Open(vec![Doubt::Other(
            "the port's protocol is detected: policies say different things for HTTP and for other traffic".to_owned(),
        )]),
    }
}

fn summary(mesh: Mesh, mode: &Effective, sent: &Sent) -> String {
    let place = match mesh {
        Mesh::Ambient if sent.tls == Tls::Tunnel => "ztunnel at 15008",
        Mesh::Ambient => "ztunnel",
        _ => "the sidecar at 15006",
    };
    let asks = match mode.mode {
        Mode::Strict => "mutual TLS only (STRICT)",
        Mode::Permissive => "mutual TLS and plaintext (PERMISSIVE)",
        Mode::Disable if mesh == Mesh::Ambient => "mutual TLS and plaintext",
        Mode::Disable => "plaintext only (DISABLE)",
    };
    let who = sent.identity.as_ref().map_or_else(
        || "in plaintext".to_owned(),
        |identity| format!("as {identity}"),
    );
    format!("{place} accepts {asks}; this connection comes {who}")
}

fn plaintext(server: &Member<'_>, mode: &Effective, sent: &Sent) -> Stop {
    if sent.rule.is_some()
        && let Ruling::Stop(stop) =
            disagree(server, mode, sent, "forbids TLS, and the server demands it")
    {
        return *stop;
    }
    let (object, field) = mode
        .by
        .clone()
        .unwrap_or_else(|| (server.pod.reference(), String::new()));
    let is_other_mesh = sent.mesh == Some(Mesh::Linkerd);
    let mut because = vec![format!(
        "{object} {field} is STRICT for {}",
        server.pod.reference()
    )];
    because.extend(sent.why.clone());
    if is_other_mesh {
        because
            .push("the client is in another mesh, whose identities mean nothing here".to_owned());
    }
    Stop {
        reason: if is_other_mesh {
            Reason::OtherMesh
        } else {
            Reason::Plaintext
        },
        summary: format!(
            "{} accepts mutual TLS only, but the client sends plaintext",
            server.pod.name()
        ),
        because,
        repair: permissive(&object, &field),
        object,
        field,
    }
}

/// Bringing the client into the mesh comes first; the exception is there for clients that cannot.
fn permissive(object: &ObjectRef, field: &str) -> Repair {
    let mut patch = json!("PERMISSIVE");
    for key in field.split('.').rev() {
        patch = json!({ key: patch });
    }
    Repair {
        summary: "bring the client into the mesh (restart it once its namespace is labelled); or take plaintext here, too".to_owned(),
        patch: (object.kind == "PeerAuthentication").then(|| (object.clone(), false, patch)),
    }
}

fn disagree(server: &Member<'_>, mode: &Effective, sent: &Sent, how: &str) -> Ruling {
    let Some((rule, field)) = &sent.rule else {
        return Ruling::Pass;
    };
    let by = mode.by.as_ref().map(|(object, field)| {
        format!(
            "{object} {field} decides what {} accepts",
            server.pod.name()
        )
    });
    Ruling::Stop(Box::new(Stop {
        reason: Reason::TlsDisagrees,
        object: rule.clone(),
        field: field.clone(),
        summary: format!("{rule} {how}"),
        because: by.into_iter().collect(),
        repair: Repair {
            summary: "set ISTIO_MUTUAL in the rule, or omit tls".to_owned(),
            patch: None,
        },
    }))
}

fn bypassed(
    connection: &Connection<'_, '_>,
    server: &Member<'_>,
    sent: &Sent,
    annotation: &str,
) -> Ruling {
    if sent.tls != Tls::Mesh {
        return Ruling::Pass;
    }
    let port = connection.server_port;
    Ruling::Stop(Box::new(Stop {
        reason: Reason::Bypassed,
        object: server.pod.reference(),
        field: format!("metadata.annotations[{annotation}]"),
        summary: format!(
            "the client's sidecar uses mutual TLS to port {port}, which bypasses the server's sidecar"
        ),
        because: vec![format!(
            "{annotation} lists port {port}, and the client only sees that {} has a sidecar",
            server.pod.name()
        )],
        repair: Repair {
            summary:
                "take the port out of the annotation, or turn TLS off for it in a DestinationRule"
                    .to_owned(),
            patch: None,
        },
    }))
}

/// A denial by policy.
pub(super) fn unauthorized(denial: &Denial<'_>, call: &Call<'_>, place: &str) -> Stop {
    let object = denial.policy.reference();
    let who = call.caller.map_or_else(
        || "a client without identity".to_owned(),
        ToString::to_string,
    );
    let (field, summary) = match denial.rule {
        Some(rule) => (
            format!("spec.rules[{rule}]"),
            format!("{object} denies {who} at {place}"),
        ),
        None => (
            "spec.rules".to_owned(),
            format!("{object} allows others than {who} at {place}"),
        ),
    };
    let mut because = denial.misses.clone();
    if denial.asked > 1 {
        because.push(format!(
            "{} ALLOW policies apply, and none matches",
            denial.asked
        ));
    }
    if let Some(rule) = denial.rule {
        because.push(format!("DENY comes before ALLOW, and rule {rule} matches"));
    }
    Stop {
        reason: if denial.lacks_requests && place == "ztunnel" {
            Reason::RulesLeftOut
        } else {
            Reason::Unauthorized
        },
        repair: allow(denial, call, &object),
        object,
        field,
        summary,
        because,
    }
}

/// A rule that admits the caller, where one with its identity can.
fn allow(denial: &Denial<'_>, call: &Call<'_>, object: &ObjectRef) -> Repair {
    let has_rules = !denial.policy.items("/spec/rules").is_empty();
    match (denial.rule, call.caller) {
        (Some(_), _) => Repair {
            summary: "exclude the client from the rule".to_owned(),
            patch: None,
        },
        (None, _) if denial.lacks_requests => Repair {
            summary: "rules on requests need a waypoint here: create one and bind the policy to the Service with targetRefs".to_owned(),
            patch: None,
        },
        (None, Some(caller)) if has_rules => Repair {
            summary: "allow the identity of the client, if it should have access".to_owned(),
            patch: Some((
                object.clone(),
                true,
                json!([{"op": "add", "path": "/spec/rules/-", "value": {"from": [{"source": {"principals": [caller.to_string()]}}]}}]),
            )),
        },
        (None, Some(_)) => Repair {
            summary: "add an ALLOW policy for the client's identity beside this one".to_owned(),
            patch: None,
        },
        (None, None) => Repair {
            summary: "bring the client into the mesh, so that it has an identity to allow".to_owned(),
            patch: None,
        },
    }
}
