//! A Gateway itself: its class, its listeners, and the way to its proxies.

use super::front::{self, Knock};
use super::plane::Plane;
use super::rule;
use crate::cluster::Named;
use crate::cluster::gateway_api::{Gateway, ListenerSet};
use crate::gateway::listener::{Slot, is_admitted, reference, set_reference, slots};
use crate::gateway::programmed::gateway_trouble;
use crate::gateway::{HttpRequest, class_of};
use crate::net::Protocol;
use crate::path::context::{Leg, Walker};
use crate::path::{Break, DoorTrouble, Hop, Mode, Path, Stage, Status};
use crate::text::list;

/// How many ports of a Gateway are walked to.
const MAX_PORTS: usize = 4;

/// To the proxies of a Gateway; or, where a request is known, to what takes it there.
pub fn to_gateway<'v>(
    walker: &Walker<'_, 'v>,
    leg: Leg<'_, 'v>,
    gateway: &'v Gateway,
    only: Option<&crate::cluster::ObjectRef>,
    paths: &mut Vec<Path<'v>>,
) {
    let request = walker.flow.destination.request();
    if let Some(request) = request.filter(|request| request.host.is_some()) {
        return by_request(walker, leg, gateway, &request, paths);
    }
    let mut leg = leg;
    leg.mode = Mode::OutsideToService;
    let plane = Plane::of_gateway(walker.view, gateway);
    let own: Vec<Slot<'v>> = slots(walker.view, gateway)
        .into_iter()
        .filter(|slot| only.is_none_or(|owner| slot.owner == *owner))
        .collect();
    // What ails the listeners of a ListenerSet is the ListenerSet's to repair.
    let object = reference(gateway);
    let of_owner = |slot: &&Slot<'v>| slot.owner == *only.unwrap_or(&object);
    let judged: Vec<Slot<'v>> = own.iter().filter(of_owner).cloned().collect();
    judge(walker, &mut leg, gateway, &judged, own.is_empty());
    let mut asked: Vec<(u16, Protocol)> = own
        .iter()
        .filter(|slot| !slot.is_dead())
        .map(|slot| (slot.listener.port, protocol(slot)))
        .collect();
    asked.sort_unstable();
    asked.dedup();
    asked.truncate(MAX_PORTS);
    let start = paths.len();
    for (port, protocol) in asked {
        let mut leg = leg.clone();
        let knock = Knock {
            door: reference(gateway),
            port: Some(port),
            protocol,
        };
        front::pass(walker, &mut leg, &plane, &knock);
        let path = leg.end(None);
        // Ports that tell the same story are told once.
        if !paths[start..].iter().any(|known| known.is_like(&path)) {
            paths.push(path);
        }
    }
    if paths.len() == start {
        paths.push(leg.end(None));
    }
}

/// To the listeners that a ListenerSet adds to its Gateway.
pub fn to_listener_set<'v>(
    walker: &Walker<'_, 'v>,
    mut leg: Leg<'_, 'v>,
    set: &'v ListenerSet,
    paths: &mut Vec<Path<'v>>,
) {
    let owner = set_reference(set);
    let parent = set.spec.parent_ref.object(set.namespace());
    let api = &walker.view.gateway_api;
    let gateway = api.gateways.get(&parent.namespace, &parent.name);
    let exists = gateway.is_some();
    if let Some(gateway) = gateway.filter(|gateway| is_admitted(walker.view, gateway, set)) {
        return to_gateway(walker, leg, gateway, Some(&owner), paths);
    }
    let resource = crate::cluster::Resource::Gateways;
    let text = if exists {
        format!("{parent} does not allow its listeners")
    } else {
        format!("there is no {parent}")
    };
    let hop = Hop::new(Stage::Gateway, Status::Fail, text).at(owner.clone());
    if exists || walker.view.holds_all(resource, &parent.namespace) {
        let trouble = DoorTrouble::SetNotAdmitted {
            set: owner,
            gateway: parent,
            exists,
        };
        leg.trail.stop(hop, Break::Door(Box::new(trouble)));
    } else {
        leg.trail.push(Hop {
            status: Status::Unknown,
            summary: format!("{parent} was not read"),
            ..hop
        });
    }
    paths.push(leg.end(None));
}

fn by_request<'v>(
    walker: &Walker<'_, 'v>,
    leg: Leg<'_, 'v>,
    gateway: &'v Gateway,
    request: &HttpRequest,
    paths: &mut Vec<Path<'v>>,
) {
    let port = match walker.flow.destination.port {
        Some(crate::target::PortSpec::Number(port)) => Some(port),
        _ => None,
    };
    let asked = super::url::AskedUrl {
        request: request.clone(),
        port,
    };
    super::url::through(walker, leg, gateway, &asked, &mut Vec::new(), paths);
}

/// The transport of a listener.
pub(super) fn protocol(slot: &Slot<'_>) -> Protocol {
    if slot.listener.protocol == "UDP" {
        Protocol::Udp
    } else {
        Protocol::Tcp
    }
}

/// Adds the hop of a Gateway: its class and its listeners, and what is wrong with them.
pub(super) fn judge<'v>(
    walker: &Walker<'_, 'v>,
    leg: &mut Leg<'_, 'v>,
    gateway: &'v Gateway,
    own: &[Slot<'v>],
    is_whole: bool,
) {
    let class = class_of(walker.view, gateway);
    let object = reference(gateway);
    let shown: Vec<String> = own.iter().map(Slot::shown).collect();
    let text = format!(
        "{}, listens as {}",
        class.shown(&gateway.spec.gateway_class_name),
        if shown.is_empty() {
            "nothing".to_owned()
        } else {
            list(&shown)
        }
    );
    let hop = Hop::new(Stage::Gateway, Status::Pass, text).at(object.clone());
    if let Some(trouble) = gateway_trouble(walker.view, gateway) {
        let trouble = DoorTrouble::Gateway {
            gateway: object,
            trouble,
        };
        return leg.trail.stop(hop, Break::Door(Box::new(trouble)));
    }
    if matches!(class, crate::gateway::ClassState::Unread) {
        return leg.trail.push(Hop {
            status: Status::Unknown,
            ..hop
        });
    }
    let ailing: Vec<&Slot<'v>> = own.iter().filter(|slot| slot.trouble.is_some()).collect();
    let is_part = own.iter().any(|slot| !slot.is_dead()) || own.is_empty();
    if own.is_empty() && is_whole {
        // A Gateway without listeners of its own may wait for those of ListenerSets.
        return leg.trail.push(Hop {
            status: Status::Unknown,
            ..hop
        });
    }
    match ailing.as_slice() {
        [] => leg.trail.push(hop),
        _ if is_part => leg.trail.push(Hop {
            status: Status::Warn,
            ..hop
        }),
        _ => leg.trail.push(Hop {
            status: Status::Fail,
            ..hop
        }),
    }
    leg.trail.breaks.extend(
        ailing
            .into_iter()
            .filter_map(|slot| rule::slot_trouble(slot, is_part)),
    );
}
