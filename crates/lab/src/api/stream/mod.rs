//! `exec` and `attach` over WebSocket: streams in channels, one byte ahead of every message.
//!
//! ```text
//!  0 stdin   1 stdout   2 stderr   3 how it ended   4 terminal size   255 (v5) the client's end of a channel
//! ```
//!
//! Source: k8s.io/apimachinery `pkg/util/remotecommand`, KEP-4006.

mod attach;
mod channels;
mod exec;

use std::sync::Arc;

use futures::StreamExt;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::pods::{self, Found};
use super::refusal::Refusal;
use super::request::{Call, Target};
use super::respond::{self, Response};
use crate::store::ResourceType;
use crate::world::World;

use channels::Outgoing;

const PROTOCOL: &str = "sec-websocket-protocol";
/// What is spoken, the newest first.
const SPOKEN: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/// What a session connects.
#[expect(clippy::struct_excessive_bools, reason = "the words of the URL")]
struct Wish {
    attach: bool,
    command: Vec<String>,
    stdin: bool,
    stdout: bool,
    stderr: bool,
    tty: bool,
}

/// Answers `pods/NAME/exec` and `pods/NAME/attach`.
pub fn answer(
    world: &Arc<World>,
    call: &Call,
    target: &Target,
    kind: &ResourceType,
    request: &mut hyper::Request<Incoming>,
) -> Result<Response, Refusal> {
    let found = pods::find(world, call, target, kind)?;
    if found.object["spec"]["nodeName"].is_null() {
        return Err(Refusal::bad_request(format!(
            "pod {} does not have a host assigned",
            target.name
        )));
    }
    let wish = Wish {
        attach: target.subresource == "attach",
        command: call.query.all("command").map(str::to_owned).collect(),
        stdin: call.query.is_set("stdin"),
        stdout: call.query.is_set("stdout"),
        stderr: call.query.is_set("stderr"),
        tty: call.query.is_set("tty"),
    };
    if !(wish.stdin || wish.stdout || wish.stderr) {
        return Err(Refusal::bad_request(
            "you must specify at least 1 of stdin, stdout, stderr",
        ));
    }
    if !wish.attach && wish.command.is_empty() {
        return Err(Refusal::bad_request(
            "you must specify at least one command for the container",
        ));
    }
    let (key, protocol) = handshake(call)?;
    let upgrade = hyper::upgrade::on(request);
    let world = world.clone();
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let socket =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        session(world, found, wish, socket).await;
    });
    Ok(switching(&key, protocol))
}

/// The client's key, and the newest protocol both speak.
fn handshake(call: &Call) -> Result<(String, &'static str), Refusal> {
    let websocket = call
        .header("upgrade")
        .is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"));
    let key = call.header(SEC_WEBSOCKET_KEY.as_str());
    let (true, Some(key)) = (websocket, key) else {
        return Err(Refusal::bad_request(
            "Upgrade request required: this server speaks WebSocket only",
        ));
    };
    let offered: Vec<&str> = call
        .headers
        .get_all(PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(',').map(str::trim))
        .collect();
    let protocol = SPOKEN
        .into_iter()
        .find(|protocol| offered.contains(protocol))
        .ok_or_else(|| {
            Refusal::new(
                403,
                "Forbidden",
                "unable to upgrade: unable to negotiate protocol",
            )
        })?;
    Ok((derive_accept_key(key.as_bytes()), protocol))
}

fn switching(key: &str, protocol: &'static str) -> Response {
    let mut response = respond::plain(101, "", "");
    let headers = response.headers_mut();
    headers.clear();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(PROTOCOL, HeaderValue::from_static(protocol));
    if let Ok(value) = HeaderValue::from_str(key) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, value);
    }
    response
}

async fn session(
    world: Arc<World>,
    found: Found,
    wish: Wish,
    socket: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>,
) {
    let (sink, source) = socket.split();
    let (out, writing) = Outgoing::over(sink);
    // The first message says that the streams are there.
    out.send(1, b"").await;
    let end = if wish.attach {
        attach::run(&world, &found, &wish, &out, source).await
    } else {
        exec::run(&world, &found, &wish, &out, source).await
    };
    out.send(3, end.to_string().as_bytes()).await;
    drop(out);
    let _ = writing.await;
}
