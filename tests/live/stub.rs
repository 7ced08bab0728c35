//! An API server that answers GETs from objects, and misbehaves where it is told to.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use netpath::cluster::{Resource, Scope};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use netpath_lab::store::Selector;

/// How long nobody may have asked before a held answer is given: long enough that requests of one
/// round are all there, also on a machine with other things to do.
const QUIET: Duration = Duration::from_millis(300);

/// A request, as far as the rules of misbehaviour care.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Path and query.
    pub url: String,
    /// `pods`, `networkpolicies.networking.k8s.io`, … or the path of what is no resource.
    pub what: String,
    pub namespace: Option<String>,
    pub user_agent: String,
    /// `Bearer …`; empty without.
    pub authorization: String,
}

/// How a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Plain,
    /// A Status with this code.
    Refuse(u16),
    /// Text that is no JSON.
    Garbage,
    /// Half of the answer, then the end of the connection.
    CutOff,
    /// Other JSON than was asked for.
    Other(&'static str),
    /// A list that is larger than anybody reads.
    Flood,
    /// Nothing, for ever.
    Silence,
}

type Rule = dyn Fn(&Asked) -> Manner + Send + Sync;

/// The server; it ends when dropped.
pub struct Stub {
    pub url: String,
    state: Arc<State>,
    _runtime: Runtime,
}

struct State {
    objects: BTreeMap<String, Vec<Value>>,
    rule: Box<Rule>,
    /// Whether answers wait until a round is complete.
    holds: bool,
    /// Pods that were made here and are not deleted.
    made: Mutex<Vec<Value>>,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    asked: Vec<Asked>,
    /// When each request came and when its answer went.
    times: Vec<(Instant, Option<Instant>)>,
}

// === impl Stub ===

impl Stub {
    pub fn of(objects: Vec<Value>) -> Self {
        Self::start(objects, |_| Manner::Plain, false)
    }

    /// Answers by a rule.
    pub fn that(
        objects: Vec<Value>,
        rule: impl Fn(&Asked) -> Manner + Send + Sync + 'static,
    ) -> Self {
        Self::start(objects, rule, false)
    }

    /// Holds every answer until the whole round has been asked.
    pub fn in_rounds(objects: Vec<Value>) -> Self {
        Self::start(objects, |_| Manner::Plain, true)
    }

    fn start(
        objects: Vec<Value>,
        rule: impl Fn(&Asked) -> Manner + Send + Sync + 'static,
        holds: bool,
    ) -> Self {
        let mut by_resource: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for object in objects {
            let version = object["apiVersion"].as_str().unwrap_or_default();
            let kind = object["kind"].as_str().unwrap_or_default();
            let resource = Resource::of(version, kind).unwrap_or_else(|| panic!("{kind}?"));
            by_resource
                .entry(resource.qualified())
                .or_default()
                .push(object);
        }
        let state = Arc::new(State {
            objects: by_resource,
            rule: Box::new(rule),
            holds,
            made: Mutex::default(),
            log: Mutex::default(),
        });
        let runtime = Runtime::new().expect("a runtime");
        let (url, serving) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
            let address: SocketAddr = listener.local_addr().expect("an address");
            (format!("http://{address}"), serve(listener, state.clone()))
        });
        runtime.spawn(serving);
        Self {
            url,
            state,
            _runtime: runtime,
        }
    }

    /// Everything that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.log.lock().asked.clone()
    }

    /// The pods that were made and are still there.
    pub fn made(&self) -> Vec<Value> {
        self.state.made.lock().clone()
    }

    /// How many requests had to wait for an earlier one's answer, at the deepest: sequential rounds.
    pub fn rounds(&self) -> usize {
        let mut times = self.state.log.lock().times.clone();
        times.sort_by_key(|(_, answered)| *answered);
        let mut rounds = 0;
        let mut last: Option<Instant> = None;
        for (came, answered) in times {
            if last.is_none_or(|last| came >= last) {
                rounds += 1;
                last = answered;
            }
        }
        rounds
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let state = state.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(&state, request));
            // A client that goes away is none of our business.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    state: &State,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let place = Place::of(&request);
    let number = {
        let mut log = state.log.lock();
        log.asked.push(place.asked.clone());
        log.times.push((Instant::now(), None));
        log.times.len() - 1
    };
    if state.holds {
        hold(state).await;
    }
    let manner = (state.rule)(&place.asked);
    let is_plain = manner == Manner::Plain && place.asked.what == "pods";
    let changed = if is_plain {
        let method = request.method().clone();
        let body = request.into_body().collect().await.expect("a body");
        state.change(&method, &place, &body.to_bytes())
    } else {
        None
    };
    let (code, body) = match manner {
        Manner::Silence => std::future::pending().await,
        Manner::Other(body) => (StatusCode::OK, body.to_owned()),
        Manner::Flood => (StatusCode::OK, flood()),
        Manner::Garbage => (StatusCode::OK, "<html>Please log in</html>".to_owned()),
        Manner::Refuse(code) => status(code, &place.asked),
        Manner::Plain | Manner::CutOff => changed.unwrap_or_else(|| state.find(&place)),
    };
    let mut response = Response::builder()
        .status(code)
        .header("content-type", "application/json");
    if manner == Manner::CutOff {
        // More is promised than comes.
        response = response.header("content-length", body.len() * 2);
    }
    state.log.lock().times[number].1 = Some(Instant::now());
    Ok(response.body(Full::from(body)).expect("a response"))
}

/// Waits until nobody has asked for a while.
async fn hold(state: &State) {
    loop {
        let latest = state.log.lock().times.iter().map(|(came, _)| *came).max();
        let due = latest.unwrap_or_else(Instant::now) + QUIET;
        if due <= Instant::now() {
            return;
        }
        tokio::time::sleep_until(due).await;
    }
}

/// 60 MB.
fn flood() -> String {
    let item = format!(
        r#"{{"metadata":{{"name":"a","annotations":{{"a":"{}"}}}}}}"#,
        "y".repeat(1 << 20)
    );
    format!(
        r#"{{"kind":"List","items":[{}]}}"#,
        vec![item; 60].join(",")
    )
}

fn status(code: u16, asked: &Asked) -> (StatusCode, String) {
    let (reason, message) = match code {
        401 => ("Unauthorized", "Unauthorized".to_owned()),
        403 => (
            "Forbidden",
            format!("{} is forbidden: User \"eve\" cannot list it", asked.what),
        ),
        404 => ("NotFound", format!("{} not found", asked.url)),
        410 => (
            "Expired",
            "The provided continue parameter is too old".to_owned(),
        ),
        _ => ("InternalError", "etcdserver: no leader".to_owned()),
    };
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    (
        StatusCode::from_u16(code).expect("a code"),
        body.to_string(),
    )
}

/// What a URL asks for.
struct Place {
    asked: Asked,
    resource: Option<Resource>,
    name: Option<String>,
    query: BTreeMap<String, String>,
    metadata_only: bool,
}

// === impl Place ===

impl Place {
    fn of(request: &Request<Incoming>) -> Self {
        let header = |name: &str| {
            let value = request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let uri = request.uri();
        let mut parts: Vec<&str> = uri
            .path()
            .split('/')
            .filter(|part| !part.is_empty())
            .collect();
        let mut namespace = None;
        let resource = if parts.len() > 2 {
            let group = if parts.remove(0) == "api" {
                ""
            } else {
                parts.remove(0)
            };
            parts.remove(0);
            if parts[0] == "namespaces" && parts.len() > 2 {
                namespace = Some(parts[1].to_owned());
                parts.drain(..2);
            }
            let plural = parts[0];
            let all = Resource::ALL.iter().copied();
            let mut all = all.filter(|one| one.group() == group && one.plural() == plural);
            all.next()
        } else {
            None
        };
        let query = uri.query().unwrap_or_default().split('&');
        let query = query.filter_map(|pair| pair.split_once('='));
        Self {
            name: resource.and_then(|_| parts.get(1).map(|name| (*name).to_owned())),
            metadata_only: header("accept").contains("PartialObjectMetadataList"),
            query: query
                .map(|(name, value)| (name.to_owned(), decode(value)))
                .collect(),
            asked: Asked {
                url: uri.to_string(),
                what: resource.map_or_else(|| uri.path().to_owned(), Resource::qualified),
                namespace,
                user_agent: header("user-agent"),
                authorization: header("authorization"),
            },
            resource,
        }
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits: Vec<u8> = rest.by_ref().take(2).collect();
            let digits = String::from_utf8(digits).expect("ASCII");
            bytes.push(u8::from_str_radix(&digits, 16).expect("two digits"));
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

// === impl State ===

impl State {
    /// Makes and deletes pods, and shows those that were made; none for any other request.
    fn change(&self, method: &Method, place: &Place, body: &[u8]) -> Option<(StatusCode, String)> {
        let mut made = self.made.lock();
        if method == Method::POST {
            let mut pod: Value = serde_json::from_slice(body).expect("a pod");
            let number = self.log.lock().times.len();
            let state = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
            pod["metadata"]["name"] = format!("netpath-x{number}").into();
            pod["metadata"]["uid"] = format!("uid-{number}").into();
            pod["metadata"]["namespace"] = place.asked.namespace.clone().into();
            pod["status"] = json!({"phase": "Running", "containerStatuses": [{"name": "netpath", "ready": true,
                "restartCount": 0, "image": "", "imageID": "", "state": state}]});
            made.push(pod.clone());
            return Some((StatusCode::CREATED, pod.to_string()));
        }
        let named = |pod: &Value| place.name.as_deref() == pod["metadata"]["name"].as_str();
        if method == Method::DELETE {
            made.retain(|pod| !named(pod));
            return Some((StatusCode::OK, "{}".to_owned()));
        }
        if place.query.contains_key("watch") {
            let field = place
                .query
                .get("fieldSelector")
                .cloned()
                .unwrap_or_default();
            let pod = made.iter().find(|pod| {
                field.strip_prefix("metadata.name=") == pod["metadata"]["name"].as_str()
            })?;
            let event = json!({"type": "ADDED", "object": pod});
            return Some((StatusCode::OK, format!("{event}\n")));
        }
        if let Some(pod) = made.iter().find(|pod| named(pod)) {
            return Some((StatusCode::OK, pod.to_string()));
        }
        // Ours are looked for by their labels.
        let labels = place.query.get("labelSelector")?;
        let selector = Selector::parse(labels).expect("a selector");
        let ours: Vec<&Value> = made
            .iter()
            .filter(|pod| selector.matches(&labels_of(pod)))
            .collect();
        (!ours.is_empty()).then(|| (StatusCode::OK, list(Resource::Pods, &ours, place)))
    }

    fn find(&self, place: &Place) -> (StatusCode, String) {
        let Some(resource) = place.resource else {
            return match place.asked.what.as_str() {
                "/apis" => (StatusCode::OK, self.groups()),
                "/version" => (StatusCode::OK, VERSION.to_owned()),
                _ => status(404, &place.asked),
            };
        };
        let none = Vec::new();
        let objects = self.objects.get(&resource.qualified()).unwrap_or(&none);
        let is_here = |object: &&Value| match &place.asked.namespace {
            Some(namespace) => object["metadata"]["namespace"] == namespace.as_str(),
            None => true,
        };
        let mut objects = objects.iter().filter(is_here);
        if let Some(name) = &place.name {
            return match objects.find(|object| object["metadata"]["name"] == name.as_str()) {
                Some(object) => (StatusCode::OK, object.to_string()),
                None => status(404, &place.asked),
            };
        }
        if place.asked.namespace.is_some() {
            assert_eq!(resource.scope(), Scope::Namespaced, "{}", place.asked.url);
        }
        let labels = place
            .query
            .get("labelSelector")
            .map(|text| Selector::parse(text).unwrap_or_else(|bad| panic!("{text}: {}", bad.0)));
        let fields = place.query.get("fieldSelector");
        let matching: Vec<&Value> = objects
            .filter(|object| {
                labels
                    .as_ref()
                    .is_none_or(|labels| labels.matches(&labels_of(object)))
            })
            .filter(|object| fields.is_none_or(|fields| has_fields(object, fields)))
            .collect();
        (StatusCode::OK, list(resource, &matching, place))
    }

    fn groups(&self) -> String {
        let groups = self.objects.keys().filter_map(|name| name.split_once('.'));
        let groups = groups.map(|(_, group)| {
            let version = json!({"groupVersion": format!("{group}/v1"), "version": "v1"});
            json!({"name": group, "versions": [version], "preferredVersion": version})
        });
        json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups.collect::<Value>()})
            .to_string()
    }
}

const VERSION: &str = r#"{"major": "1", "minor": "36", "gitVersion": "v1.36.2", "gitCommit": "", "gitTreeState": "clean",
    "buildDate": "", "goVersion": "go1.26", "compiler": "gc", "platform": "linux/amd64"}"#;

fn labels_of(object: &Value) -> BTreeMap<String, String> {
    let labels = object["metadata"]["labels"]
        .as_object()
        .into_iter()
        .flatten();
    labels
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

fn has_fields(object: &Value, fields: &str) -> bool {
    fields.split(',').all(|field| {
        let (path, wanted, equal) = if let Some((path, wanted)) = field.split_once("!=") {
            (path, wanted, false)
        } else {
            let (path, wanted) = field.split_once('=').expect("a field selector");
            (path, wanted.trim_start_matches('='), true)
        };
        let found = object.pointer(&format!("/{}", path.replace('.', "/")));
        (found.and_then(Value::as_str).unwrap_or_default() == wanted) == equal
    })
}

fn list(resource: Resource, objects: &[&Value], place: &Place) -> String {
    let number = |name: &str| {
        place
            .query
            .get(name)
            .and_then(|text| text.parse::<usize>().ok())
    };
    let start = number("continue").unwrap_or(0);
    let end = number("limit").map_or(objects.len(), |limit| objects.len().min(start + limit));
    let items = objects[start..end].iter().map(|object| {
        if place.metadata_only {
            return json!({"kind": "PartialObjectMetadata", "metadata": object["metadata"]});
        }
        // Items of a list carry no kind.
        let mut item = (*object).clone();
        let fields = item.as_object_mut().expect("an object");
        fields.remove("kind");
        fields.remove("apiVersion");
        item
    });
    let mut meta = json!({"resourceVersion": "1"});
    if end < objects.len() {
        meta["continue"] = end.to_string().into();
    }
    json!({
        "kind": format!("{}List", resource.kind()), "apiVersion": resource.api_version(),
        "metadata": meta, "items": items.collect::<Value>(),
    })
    .to_string()
}
