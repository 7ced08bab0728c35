//! A route as a destination: to which parents it is attached, and where its rules lead.

use super::front;
use super::gateway::protocol;
use super::rule::{self, Way};
use crate::cluster::gateway_api::{Route, RouteKind};
use crate::gateway::listener::reference;
use crate::gateway::programmed::gateway_trouble;
use crate::gateway::{Attachment, attachments, matching};
use crate::path::context::{Leg, Walker};
use crate::path::{Break, DoorTrouble, Hop, Mode, Path, Stage, Status};

/// To the backends of a route, by every parent that takes it.
pub fn to_route<'v>(
    walker: &Walker<'_, 'v>,
    leg: &Leg<'_, 'v>,
    (kind, route): (RouteKind, &'v Route),
    paths: &mut Vec<Path<'v>>,
) {
    let mut leg = leg.clone();
    leg.mode = Mode::OutsideToService;
    let object = route.reference(kind);
    let found = attachments(walker.view, kind, route);
    if found.is_empty() {
        let text = "it has no Gateway as parent: it belongs to a mesh, not to an entry point";
        let hop = Hop::new(Stage::Gateway, Status::Unknown, text).at(object);
        leg.trail.push(hop);
        return paths.push(leg.end(None));
    }
    let refused = |one: &&Attachment<'v>| one.refusal().is_some();
    let (refusals, taken): (Vec<_>, Vec<_>) = found.iter().partition(refused);
    if taken.is_empty() {
        for one in &refusals {
            by_refusal(walker, &leg, (kind, route), one, paths);
        }
        return;
    }
    // Where one parent takes it, that another does not is worth knowing.
    for one in &refusals {
        leg.trail.breaks.extend(refusal(&object, one, true));
    }
    // Parents of one Gateway lead to the same backends: the first that serves speaks for all.
    let mut seen: Vec<String> = Vec::new();
    for one in &taken {
        let key = one.gateway.map_or_else(
            || one.parent.to_string(),
            |gateway| reference(gateway).to_string(),
        );
        let is_live = one.slots().iter().any(|slot| !slot.is_dead());
        if seen.contains(&key) && (is_live || one.doubt.is_none()) {
            continue;
        }
        seen.push(key);
        by_attachment(walker, &leg, (kind, route), one, paths);
    }
}

fn refusal<'v>(
    route: &crate::cluster::ObjectRef,
    one: &Attachment<'v>,
    is_part: bool,
) -> Option<Break<'v>> {
    Some(Break::Door(Box::new(DoorTrouble::Refused {
        route: route.clone(),
        index: one.index,
        parent: one.parent.clone(),
        refusal: one.refusal()?.clone(),
        is_part,
    })))
}

/// A parent that does not take it; its backends may have troubles of their own.
fn by_refusal<'v>(
    walker: &Walker<'_, 'v>,
    leg: &Leg<'_, 'v>,
    (kind, route): (RouteKind, &'v Route),
    one: &Attachment<'v>,
    paths: &mut Vec<Path<'v>>,
) {
    let mut leg = leg.clone();
    let object = route.reference(kind);
    let reason = one.refusal().map_or("", |refusal| refusal.reason());
    let text = format!("{} does not accept it: {reason}", one.parent);
    let hop = Hop::new(Stage::Gateway, Status::Fail, text).at(object.clone());
    if let Some(seen) = refusal(&object, one, false) {
        leg.trail.stop(hop, seen);
    }
    // What lies behind may have troubles of its own.
    if let Some(gateway) = one.gateway {
        rules(
            walker,
            leg,
            &Way::new(walker.view, gateway, None),
            (kind, route),
            paths,
        );
    } else {
        let all = route.spec.rules.iter().enumerate();
        let bad = all
            .flat_map(|(index, rule)| rule::bad_backends(walker.view, (kind, route), index, rule));
        leg.trail.breaks.extend(bad);
        paths.push(leg.end(None));
    }
}

fn by_attachment<'v>(
    walker: &Walker<'_, 'v>,
    leg: &Leg<'_, 'v>,
    (kind, route): (RouteKind, &'v Route),
    one: &Attachment<'v>,
    paths: &mut Vec<Path<'v>>,
) {
    let mut leg = leg.clone();
    let object = route.reference(kind);
    let hop = |status, text: String| Hop::new(Stage::Gateway, status, text).at(object.clone());
    if let Some(doubt) = &one.doubt {
        leg.trail.push(hop(Status::Unknown, doubt.clone()));
    }
    let Some(gateway) = one.gateway else {
        return paths.push(leg.end(None));
    };
    let live = one.slots().iter().find(|slot| !slot.is_dead());
    let Some(slot) = live.or_else(|| one.slots().first()) else {
        return paths.push(leg.end(None));
    };
    if let Some(trouble) = gateway_trouble(walker.view, gateway) {
        let text = format!("{} does not serve", reference(gateway));
        let gateway = reference(gateway);
        let trouble = DoorTrouble::Gateway { gateway, trouble };
        leg.trail
            .stop(hop(Status::Fail, text), Break::Door(Box::new(trouble)));
    } else if slot.is_dead() {
        leg.trail.push(hop(
            Status::Fail,
            format!("listener {} does not serve", slot.listener.name),
        ));
        leg.trail.breaks.extend(rule::slot_trouble(slot, false));
    }
    let way = Way::new(walker.view, gateway, Some(slot));
    let knock = way.knock(slot.listener.port, protocol(slot));
    front::pass(walker, &mut leg, &way.plane, &knock);
    rules(walker, leg, &way, (kind, route), paths);
}

/// By the rule that takes the request; without a request, by all of them.
fn rules<'v>(
    walker: &Walker<'_, 'v>,
    leg: Leg<'_, 'v>,
    way: &Way<'v>,
    (kind, route): (RouteKind, &'v Route),
    paths: &mut Vec<Path<'v>>,
) {
    let all = route.spec.rules.iter().enumerate();
    let Some(mut request) = walker.flow.destination.request() else {
        let start = paths.len();
        for (index, rule) in all {
            rule::to_rule(walker, &leg, way, ((kind, route), (index, rule)), paths);
        }
        if paths.len() == start {
            paths.push(leg.end(None));
        }
        return;
    };
    // The route was named: its host names are not in question.
    request.host = None;
    let choice = matching::choose([(kind, route)], &request);
    let matches = route.spec.rules.iter().flat_map(|rule| &rule.matches);
    let near = matches.map(rule::shown).collect();
    let object = route.reference(kind);
    let asked = (&object, request.shown(), &choice, near);
    rule::to_choice(walker, leg, way, asked, paths);
}
