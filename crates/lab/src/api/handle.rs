//! One request from its head to its answer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use hyper::body::Incoming;
use serde_json::Value;

use super::create::Written;
use super::fault::Fault;
use super::form::Form;
use super::identity::{self, User};
use super::rbac::{self, Ask};
use super::refusal::Refusal;
use super::request::{Call, Target};
use super::respond::{self, Response};
use super::{
    body, create, delete, discovery, log, node, openapi, read, review, scale, stream, update, watch,
};
use crate::store::ResourceType;
use crate::world::World;

type Request = hyper::Request<Incoming>;

/// Answers, or fails as a server that dies.
pub async fn handle(
    world: Arc<World>,
    certificate: Option<User>,
    request: Request,
) -> io::Result<Response> {
    let call = Call::new(&request);
    let whole = request.uri().to_string();
    let fault = world.faults.take(&call, &whole).unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
    if fault.cut_after == Some(0) {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    let answered = match fault.refusal() {
        Some(refusal) => Err(refusal),
        None => answer(&world, certificate.as_ref(), &call, request).await,
    };
    let response = answered.unwrap_or_else(|refusal| respond::refused(&refusal));
    Ok(cut(response, &fault))
}

/// Breaks the answer off where a fault says so.
fn cut(response: Response, fault: &Fault) -> Response {
    match fault.cut_after {
        Some(bytes) => response.map(|body| respond::cut_after(body, bytes)),
        None => response,
    }
}

async fn answer(
    world: &Arc<World>,
    certificate: Option<&User>,
    call: &Call,
    request: Request,
) -> Result<Response, Refusal> {
    let user = identity::of_call(&world.store, call, certificate)?;
    for ask in asks(call) {
        if !rbac::allows(&world.store, &user, &ask) {
            return Err(rbac::refusal(&user, &ask));
        }
    }
    let registry = world.store.with(|inner| inner.registry.clone());
    let Some(target) = &call.target else {
        let health = matches!(call.path.as_str(), "/healthz" | "/readyz" | "/livez");
        return Ok(if health {
            respond::plain(200, "text/plain; charset=utf-8", "ok")
        } else {
            discovery::answer(&registry, call)
                .or_else(|| openapi::answer(&registry, call))
                .unwrap_or_else(respond::no_page)
        });
    };
    let kind = match target.kind(&registry) {
        Ok(kind) => kind,
        Err(Some(refusal)) => return Err(refusal),
        Err(None) => return Ok(respond::no_page()),
    };
    allowed(call, target, &kind)?;
    resource(world, &user, call, target, &kind, request).await
}

/// The rights a request needs.
fn asks(call: &Call) -> Vec<Ask> {
    let own = Ask::of_call(call);
    // Who streams runs commands, whatever the method (v1.35, AuthorizePodWebsocketUpgradeCreatePermission).
    let streams = matches!(
        own.resource.as_str(),
        "pods/exec" | "pods/attach" | "pods/portforward"
    );
    let create = (streams && own.verb == "get").then(|| Ask {
        verb: "create".to_owned(),
        ..own.clone()
    });
    std::iter::once(own).chain(create).collect()
}

/// Whether the address takes the method.
fn allowed(call: &Call, target: &Target, kind: &ResourceType) -> Result<(), Refusal> {
    let verb = call.verb();
    let verbs = if target.subresource.is_empty() {
        &kind.verbs
    } else {
        let part = kind.subresource(&target.subresource);
        &part.ok_or_else(Refusal::no_resource)?.verbs
    };
    let known = verbs.iter().any(|one| one == verb);
    // Reviews and the like are created without a name, everything else is addressed by one.
    let addressed = call.method != Method::POST || !target.subresource.is_empty();
    if known && (addressed || target.name.is_empty()) {
        Ok(())
    } else {
        Err(Refusal::method_not_allowed())
    }
}

async fn resource(
    world: &Arc<World>,
    user: &User,
    call: &Call,
    target: &Target,
    kind: &ResourceType,
    mut request: Request,
) -> Result<Response, Refusal> {
    let store = &world.store;
    match target.subresource.as_str() {
        "exec" | "attach" => return stream::answer(world, call, target, kind, &mut request),
        "log" => return log::answer(world, call, target, kind),
        "proxy" if kind.plural == "nodes" => return node::proxy(world, target, kind),
        "proxy" | "portforward" | "binding" | "eviction" => {
            return Err(Refusal::method_not_allowed());
        }
        _ => {}
    }
    let bytes = body::read(request.into_body()).await?;
    let content = body::parse(&bytes, call.header("content-type"))?;
    match (target.subresource.as_str(), call.verb()) {
        ("scale", _) => written(
            call,
            kind,
            200,
            &scale::answer(store, call, target, kind, &content)?,
        ),
        ("token", _) => Ok(respond::json(
            201,
            &review::token(store, target, kind, &content)?,
        )),
        (_, "get") => read::get(store, call, target, kind),
        (_, "list") => read::list(store, call, target, kind),
        (_, "watch") => watch::start(store, call, target, kind),
        (_, "create") => match review::answer(store, user, kind, &content) {
            Some(review) => Ok(respond::json(201, &review)),
            None => written(
                call,
                kind,
                201,
                &create::create(store, call, target, kind, content)?,
            ),
        },
        (_, "update") => written(
            call,
            kind,
            200,
            &update::update(store, call, target, kind, &content)?,
        ),
        (_, "patch") => written(
            call,
            kind,
            200,
            &update::patch(store, call, target, kind, &content)?,
        ),
        (_, "delete") => Ok(respond::json(
            200,
            &delete::one(store, call, target, kind, &content)?,
        )),
        (_, "deletecollection") => Ok(respond::json(
            200,
            &delete::many(store, call, target, kind, &content)?,
        )),
        _ => Err(Refusal::method_not_allowed()),
    }
}

fn written(
    call: &Call,
    kind: &ResourceType,
    code: u16,
    written: &Written,
) -> Result<Response, Refusal> {
    let shown: Value = Form::of(call)?.one(kind, &written.object, call);
    let mut response = respond::json(code, &shown);
    respond::warn(&mut response, &written.warnings);
    Ok(response)
}
