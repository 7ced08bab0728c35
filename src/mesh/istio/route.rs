//! VirtualService: where a sidecar sends what is meant for a Service.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use serde_json::Value;

use super::super::connection::{Reason, Repair, Stop};
use super::super::http::{Known, Part, regular};
use super::super::object::{Object, items, labels, number, texts};
use super::config::Config;
use super::destination_rule::{full_host, lookup};
use super::protocol::{Speech, of_port};
use super::scope::{is_exported, is_host};
use super::{Istio, passes_by};
use crate::cluster::access::{ServiceExt, ServicePortExt};
use crate::cluster::{Named, ObjectRef, Pod, selected};
use crate::policy::{Doubt, Truth};
use crate::target::HttpAsked;

/// Where traffic for a port of a Service goes.
#[derive(Debug, Clone)]
pub enum Routing<'v> {
    /// Where everybody else's goes, too.
    AsIs,
    /// To these, by weight, of which those with a stop lead nowhere.
    To(ObjectRef, Vec<Target<'v>>),
    Open(ObjectRef, Vec<Doubt>),
}

/// One destination of a route.
#[derive(Debug, Clone)]
pub struct Target<'v> {
    pub weight: u64,
    pub service: Option<(&'v Service, &'v ServicePort)>,
    pub subset: Option<String>,
    /// The labels of the subset.
    pub labels: BTreeMap<String, String>,
    pub stop: Option<Box<Stop>>,
}

// === impl Istio ===

impl<'v> Istio<'v> {
    /// What the routes that a pod's sidecar has say of a port of a Service.
    #[must_use]
    pub fn routing(
        &self,
        client: &'v Pod,
        service: &'v Service,
        port: &'v ServicePort,
        request: Option<&HttpAsked>,
    ) -> Routing<'v> {
        let config = Config::of(self.view, Some(client));
        let address = service.cluster_ips().first().copied();
        if passes_by(client, address, port.number()).is_some() {
            return Routing::AsIs;
        }
        let Some(route) = self.route_of(&config, client, service) else {
            return Routing::AsIs;
        };
        let (list, is_http) = match (of_port(port), request.is_some()) {
            (Speech::Http, _) | (Speech::Detected, true) => ("http", true),
            _ => ("tcp", false),
        };
        let rules = route.items(&format!("/spec/{list}"));
        if rules.is_empty() {
            return Routing::AsIs;
        }
        let place = RouteScope {
            istio: self,
            config: &config,
            client,
            route,
            service,
            port,
        };
        place.decide(rules, list, Known(request.filter(|_| is_http)))
    }

    /// The VirtualService for a host on sidecars: the most specific host, of two the oldest. They are
    /// not merged there.
    fn route_of(&self, config: &Config, client: &Pod, service: &Service) -> Option<Object<'v>> {
        let host = self.host_of(service);
        let mut best: Option<(usize, Object<'v>)> = None;
        for route in &self.virtual_services {
            let gateways = texts(route.at("/spec/gateways"));
            let to = texts(route.at("/spec/exportTo"));
            let default: Vec<&str> = config.exports.routes.iter().map(String::as_str).collect();
            let to = if to.is_empty() { &default } else { &to };
            let is_seen = is_exported(to, route.namespace(), client.namespace());
            if !is_seen || !(gateways.is_empty() || gateways.contains(&"mesh")) {
                continue;
            }
            let hosts = texts(route.at("/spec/hosts")).into_iter();
            let hosts = hosts.map(|own| full_host(own, route.namespace(), &self.domain));
            let fitting = hosts.filter(|own| is_host(own, &host));
            let rank = fitting.map(|own| {
                if own.starts_with('*') {
                    own.len()
                } else {
                    usize::MAX
                }
            });
            if let Some(rank) = rank.max()
                && best.as_ref().is_none_or(|(known, _)| *known < rank)
            {
                best = Some((rank, *route));
            }
        }
        best.map(|(_, route)| route)
    }
}

/// What a route is asked about.
struct RouteScope<'p, 'v> {
    istio: &'p Istio<'v>,
    config: &'p Config,
    client: &'v Pod,
    route: Object<'v>,
    service: &'v Service,
    port: &'v ServicePort,
}

// === impl RouteScope ===

impl<'v> RouteScope<'_, 'v> {
    /// The first rule that matches decides. Where a request nobody gave decides between several, they
    /// must agree.
    fn decide(&self, rules: &'v [Value], list: &str, request: Known<'_>) -> Routing<'v> {
        let mut candidates: Vec<Vec<Target<'v>>> = Vec::new();
        let mut doubts = Vec::new();
        let mut is_settled = false;
        for (index, rule) in rules.iter().enumerate() {
            let truth = self.matches(rule, request);
            if truth.is_no() {
                continue;
            }
            match self.targets(rule, &format!("spec.{list}[{index}]")) {
                Ok(targets) => candidates.push(targets),
                Err(doubt) => doubts.push(doubt),
            }
            if let Truth::Maybe(doubt) = truth {
                doubts.push(doubt);
            } else {
                is_settled = true;
                break;
            }
        }
        if !is_settled {
            candidates.push(vec![self.nothing(list)]);
        }
        let object = self.route.reference();
        let Some(first) = candidates.first() else {
            return Routing::Open(object, doubts);
        };
        let is_same = |other: &Vec<Target<'v>>| format!("{other:?}") == format!("{first:?}");
        if !candidates.iter().all(is_same) || (doubts.len() > candidates.len()) {
            return Routing::Open(object, doubts);
        }
        match first.as_slice() {
            [only] if self.is_as_is(only) => Routing::AsIs,
            _ => Routing::To(object, candidates.swap_remove(0)),
        }
    }

    fn is_as_is(&self, target: &Target<'v>) -> bool {
        let is_same = target.service.is_some_and(|(service, port)| {
            service.reference() == self.service.reference() && port.number() == self.port.number()
        });
        is_same && target.stop.is_none() && target.subset.is_none()
    }

    fn matches(&self, rule: &Value, request: Known<'_>) -> Truth {
        let matches = items(&rule["match"]);
        if matches.is_empty() {
            return Truth::Yes;
        }
        Truth::any(matches.iter().map(|one| {
            let fields = one.as_object().into_iter().flatten();
            Truth::all(fields.map(|(field, wanted)| self.field(field, wanted, one, request)))
        }))
    }

    fn field(&self, field: &str, wanted: &Value, whole: &Value, request: Known<'_>) -> Truth {
        let fold = whole["ignoreUriCase"] == true;
        match field {
            "uri" => self.text(wanted, Part::Path, request, fold),
            "method" => self.text(wanted, Part::Method, request, false),
            "authority" => self.text(wanted, Part::Host, request, false),
            "headers" => Truth::all(
                wanted
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, wanted)| self.text(wanted, Part::Header(name), request, false)),
            ),
            "withoutHeaders" => Truth::all(wanted.as_object().into_iter().flatten().map(
                |(name, wanted)| {
                    self.text(wanted, Part::Header(name), request, false)
                        .negate()
                },
            )),
            "port" => (number(wanted) == Some(self.port.number())).into(),
            "sourceNamespace" => (wanted.as_str() == Some(self.client.namespace())).into(),
            "sourceLabels" => {
                let own = self.client.labels();
                labels(wanted)
                    .iter()
                    .all(|(key, value)| own.get(key) == Some(value))
                    .into()
            }
            "gateways" => texts(wanted).contains(&"mesh").into(),
            "name" | "statPrefix" | "ignoreUriCase" | "scheme" => Truth::Yes,
            "queryParams" => request.is(Part::Other("query"), |_| true),
            other => {
                let at = format!("spec match.{other}");
                Truth::Maybe(self.route.not_understood(&at, "is not judged"))
            }
        }
    }

    fn text(&self, wanted: &Value, part: Part<'_>, request: Known<'_>, fold: bool) -> Truth {
        let of = |field: &str| wanted[field].as_str();
        let same = |text: &str| {
            if fold {
                text.to_lowercase()
            } else {
                text.to_owned()
            }
        };
        if let Some(exact) = of("exact") {
            return request.is(part, |text| same(text) == same(exact));
        }
        if let Some(prefix) = of("prefix") {
            if prefix == "/" && matches!(part, Part::Path) {
                return Truth::Yes;
            }
            return request.is(part, |text| same(text).starts_with(&same(prefix)));
        }
        match of("regex") {
            Some(pattern) => regular(&self.route, pattern, part, request),
            // An empty match asks for presence.
            None => request.is(part, |_| true),
        }
    }

    /// Where a rule leads.
    fn targets(&self, rule: &'v Value, field: &str) -> Result<Vec<Target<'v>>, Doubt> {
        if rule["delegate"].is_object() {
            let at = format!("{field}.delegate");
            return Err(self.route.not_understood(&at, "delegates are not followed"));
        }
        let aborts = &rule["fault"]["abort"];
        let is_aborted = aborts["percentage"]["value"]
            .as_f64()
            .is_some_and(|share| share >= 100.0);
        for (is_so, what) in [
            (is_aborted, "aborts every request (fault.abort)"),
            (rule["redirect"].is_object(), "answers with a redirect"),
            (
                rule["directResponse"].is_object(),
                "answers by itself (directResponse)",
            ),
        ] {
            if is_so {
                return Ok(vec![self.ends(field, what, self.route.reference())]);
            }
        }
        let destinations = items(&rule["route"]);
        let weight = |one: &Value| one["weight"].as_u64();
        let has_weights = destinations
            .iter()
            .any(|one| weight(one).is_some_and(|weight| weight > 0));
        let mut targets = Vec::new();
        for (index, one) in destinations.iter().enumerate() {
            let share = if has_weights {
                weight(one).unwrap_or(0)
            } else {
                1
            };
            if share > 0 {
                let at = format!("{field}.route[{index}].destination");
                let mut target = self.target(&one["destination"], &at)?;
                target.weight = share;
                targets.push(target);
            }
        }
        if targets.is_empty() {
            targets.push(self.ends(field, "has no destination", self.route.reference()));
        }
        Ok(targets)
    }

    fn target(&self, destination: &'v Value, field: &str) -> Result<Target<'v>, Doubt> {
        let istio = self.istio;
        let written = destination["host"].as_str().unwrap_or_default();
        let host = full_host(written, self.route.namespace(), &istio.domain);
        let known = istio
            .view
            .services
            .iter()
            .find(|service| istio.host_of(service) == host);
        let Some(service) = known else {
            let is_entry = istio.service_entries.iter().any(|entry| {
                texts(entry.at("/spec/hosts"))
                    .iter()
                    .any(|own| is_host(own, &host))
            });
            return if is_entry {
                Err(self
                    .route
                    .not_understood(field, "targets a host of a ServiceEntry"))
            } else {
                Ok(self.ends(
                    &format!("{field}.host"),
                    &format!("targets host {written}, which does not exist"),
                    self.route.reference(),
                ))
            };
        };
        let ports = service.ports();
        let wanted = number(&destination["port"]["number"]);
        let port = match wanted {
            Some(wanted) => ports.iter().find(|port| port.number() == wanted),
            None if ports.len() == 1 => ports.first(),
            None => ports
                .iter()
                .find(|port| port.number() == self.port.number()),
        };
        let Some(port) = port else {
            let text = format!("targets a port that {} does not have", service.reference());
            return Ok(self.ends(&format!("{field}.port"), &text, self.route.reference()));
        };
        let mut target = Target {
            weight: 1,
            service: Some((service, port)),
            subset: destination["subset"].as_str().map(str::to_owned),
            labels: BTreeMap::new(),
            stop: None,
        };
        if let Some(name) = target.subset.clone() {
            self.narrow(&mut target, service, &host, (&name, field));
        }
        Ok(target)
    }

    /// The labels of a subset, and whether any pod of the Service has them.
    fn narrow(
        &self,
        target: &mut Target<'v>,
        service: &'v Service,
        host: &str,
        (name, field): (&str, &str),
    ) {
        let rules = lookup(
            self.istio,
            self.config,
            self.client,
            (host, service.namespace()),
        );
        let Some((rule, index, subset)) = rules.subset(name) else {
            let text = format!("targets subset {name}, which no DestinationRule of {host} defines");
            *target = self.ends(&format!("{field}.subset"), &text, self.route.reference());
            return;
        };
        target.labels = labels(&subset["labels"]);
        let has_labels = |pod: &&Pod| {
            let mut wanted = target.labels.iter();
            wanted.all(|(key, value)| pod.labels().get(key) == Some(value))
        };
        if !selected(self.istio.view, service).any(|pod| has_labels(&pod)) {
            let shown: Vec<String> = target
                .labels
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            let text = format!(
                "targets subset {name}, but no pod of {} has {}",
                service.reference(),
                shown.join(",")
            );
            let mut ends = self.ends(
                &format!("spec.subsets[{index}].labels"),
                &text,
                rule.reference(),
            );
            if let Some(stop) = &mut ends.stop {
                stop.because.push(format!(
                    "{} {field} names the subset",
                    self.route.reference()
                ));
            }
            *target = ends;
        }
    }

    /// No rule takes the request.
    fn nothing(&self, list: &str) -> Target<'v> {
        let text = "has no rule that matches the request, and no default rule";
        self.ends(&format!("spec.{list}"), text, self.route.reference())
    }

    fn ends(&self, field: &str, what: &str, object: ObjectRef) -> Target<'v> {
        let route = self.route.reference();
        Target {
            weight: 1,
            service: None,
            subset: None,
            labels: BTreeMap::new(),
            stop: Some(Box::new(Stop {
                reason: Reason::NoRoute,
                object,
                field: field.to_owned(),
                summary: format!("{route} {what}"),
                because: vec![format!(
                    "it decides for {} on sidecars",
                    self.istio.host_of(self.service)
                )],
                repair: Repair {
                    summary: "correct the route, or add the labels of the subset to the pods"
                        .to_owned(),
                    patch: None,
                },
            })),
        }
    }
}
