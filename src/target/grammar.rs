//! The grammar of a target.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{Kind, PortSpec, Spec, Target, Url};
use crate::text::nearest;

/// Text that is no target, with the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{target:?}: {problem}")]
pub struct BadTarget {
    pub target: String,
    pub problem: String,
    pub hint: String,
}

// === impl Target ===

impl FromStr for Target {
    type Err = BadTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|(problem, hint)| BadTarget {
            target: text.to_owned(),
            problem,
            hint,
        })
    }
}

/// Prints the target so that it parses to itself again.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(url) = &self.url {
            write!(f, "{}://", url.scheme)?;
        }
        match &self.spec {
            Spec::Bare(name) => f.write_str(name)?,
            Spec::Object {
                kind,
                namespace,
                name,
            } => {
                if let Some(namespace) = namespace {
                    write!(f, "{namespace}/")?;
                }
                write!(f, "{}/{name}", kind.short())?;
            }
            Spec::Address(IpAddr::V6(addr)) if self.port.is_some() || self.url.is_some() => {
                write!(f, "[{addr}]")?;
            }
            Spec::Address(addr) => write!(f, "{addr}")?,
            Spec::Name(name) if self.url.is_some() => f.write_str(name)?,
            Spec::Name(name) => write!(f, "dns/{name}")?,
            Spec::External(None) => f.write_str("external")?,
            Spec::External(Some(addr)) => write!(f, "external/{addr}")?,
        }
        if let Some(port) = &self.port {
            write!(f, ":{port}")?;
        }
        self.url
            .as_ref()
            .map_or(Ok(()), |url| f.write_str(&url.path))
    }
}

type Problem = (String, String);

fn parse(text: &str) -> Result<Target, Problem> {
    if let Some((scheme, rest)) = text.split_once("://") {
        return url(scheme, rest);
    }
    if let Some((addr, port)) = address(text)? {
        return Ok(Target::plain(Spec::Address(addr), port));
    }
    if is_meant_as_address(text) {
        return Err(not_an_address(text));
    }
    let mut words = text.split('/');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some("external"), None, ..) => Ok(Target::plain(Spec::External(None), None)),
        (Some(bare), None, ..) => {
            let (name, port) = split_port(bare)?;
            Ok(Target::plain(Spec::Bare(name_of("a pod", name)?), port))
        }
        (Some("external"), Some(addr), None, _) => {
            let (addr, _) = address(addr)?.ok_or_else(|| not_an_address(addr))?;
            Ok(Target::plain(Spec::External(Some(addr)), None))
        }
        (Some("ip"), Some(addr), None, _) => {
            let (addr, port) = address(addr)?.ok_or_else(|| not_an_address(addr))?;
            Ok(Target::plain(Spec::Address(addr), port))
        }
        (Some("dns"), Some(name), None, _) => {
            if is_meant_as_address(name) {
                return Err(not_an_address(name));
            }
            let (name, port) = split_port(name)?;
            Ok(Target::plain(Spec::Name(host_name(name)?), port))
        }
        (Some(kind), Some(name), None, _) => object(None, kind, name),
        (Some(namespace), Some(kind), Some(name), None) => object(Some(namespace), kind, name),
        _ => Err((
            "more than two slashes".to_owned(),
            "write KIND/NAME or NAMESPACE/KIND/NAME".to_owned(),
        )),
    }
}

fn object(namespace: Option<&str>, kind: &str, name: &str) -> Result<Target, Problem> {
    let found = Kind::parse(kind).ok_or_else(|| unknown_kind(kind, name))?;
    let (name, port) = split_port(name)?;
    let mut namespace = namespace
        .map(|namespace| name_of("a namespace", namespace))
        .transpose()?;
    let mut name = name_of(found.short(), name)?;
    // No Service name holds a dot (RFC 1035 label), so `svc/b.other` can only mean one thing.
    if found == Kind::Service
        && namespace.is_none()
        && let Some((service, elsewhere)) = name.clone().split_once('.')
    {
        let elsewhere = elsewhere.split('.').next().unwrap_or_default();
        namespace = Some(name_of("a namespace", elsewhere)?);
        service.clone_into(&mut name);
    }
    Ok(Target::plain(
        Spec::Object {
            kind: found,
            namespace,
            name,
        },
        port,
    ))
}

fn url(scheme: &str, rest: &str) -> Result<Target, Problem> {
    let default_port = match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        "tcp" | "udp" | "sctp" | "grpc" => None,
        _ => {
            return Err((
                format!("unknown scheme {scheme:?}"),
                "use http, https, ws, wss, grpc, tcp, udp or sctp".to_owned(),
            ));
        }
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let (spec, port) = if let Some((addr, port)) = address(host)? {
        (Spec::Address(addr), port)
    } else if is_meant_as_address(host) {
        return Err(not_an_address(host));
    } else {
        let (name, port) = split_port(host)?;
        (Spec::Name(host_name(name)?), port)
    };
    Ok(Target {
        spec,
        port: port.or_else(|| default_port.map(PortSpec::Number)),
        url: Some(Url {
            scheme: scheme.to_owned(),
            path: path.to_owned(),
        }),
    })
}

/// `10.0.0.1`, `10.0.0.1:80`, `fd00::1`, `[fd00::1]` and `[fd00::1]:80`; none if it is no address.
fn address(text: &str) -> Result<Option<(IpAddr, Option<PortSpec>)>, Problem> {
    if let Ok(addr) = text.parse() {
        return Ok(Some((addr, None)));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (addr, rest) = rest.split_once(']').ok_or_else(|| not_an_address(text))?;
        let addr = addr.parse().map_err(|_| not_an_address(addr))?;
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(port_of(port)?),
            None if rest.is_empty() => None,
            None => return Err(not_an_address(text)),
        };
        return Ok(Some((IpAddr::V6(addr), port)));
    }
    match text.split_once(':') {
        Some((addr, port)) => match addr.parse() {
            Ok(addr) => Ok(Some((IpAddr::V4(addr), Some(port_of(port)?)))),
            Err(_) => Ok(None),
        },
        None => Ok(None),
    }
}

/// Whether text can only be meant as an address: `10.0.0.300:80`, `10.0.0`, `10.0.0.0/8`, `fd00::zz`. A pod may
/// be called `1.2`, too: pod/1.2 says so.
fn is_meant_as_address(text: &str) -> bool {
    let host = text.split(['/', ':']).next().unwrap_or_default();
    let is_number = |label: &str| {
        let is_digits = label.bytes().all(|byte| byte.is_ascii_digit());
        !label.is_empty() && is_digits
    };
    let is_v4 = host.contains('.') && host.split('.').all(is_number);
    let is_v6 = !text.contains('/') && text.matches(':').count() > 1;
    is_v4 || is_v6
}

fn split_port(text: &str) -> Result<(&str, Option<PortSpec>), Problem> {
    match text.split_once(':') {
        Some((name, port)) => Ok((name, Some(port_of(port)?))),
        None => Ok((text, None)),
    }
}

/// A number from 1 to 65535, or a port name: lower-case letters, digits and single hyphens with at
/// least one letter, 15 characters at most (IANA service names, RFC 6335).
fn port_of(text: &str) -> Result<PortSpec, Problem> {
    let hint = "a port is a number from 1 to 65535 or the name of a port".to_owned();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse() {
            Ok(number) if number > 0 => Ok(PortSpec::Number(number)),
            _ => Err((format!("{text:?} is not a port"), hint)),
        };
    }
    let is_name =
        text.len() <= 15 && text.bytes().any(|byte| byte.is_ascii_lowercase()) && is_label(text);
    if is_name {
        Ok(PortSpec::Name(text.to_owned()))
    } else {
        Err((format!("{text:?} is not a port"), hint))
    }
}

fn name_of(what: &str, text: &str) -> Result<String, Problem> {
    if !text.is_empty() && text.len() <= 253 && text.split('.').all(is_label) {
        return Ok(text.to_owned());
    }
    Err((
        format!("{text:?} cannot be the name of {what}"),
        "names are lower-case letters, digits, '-' and '.' (RFC 1123)".to_owned(),
    ))
}

/// A host name as the DNS has them: underscores and a final dot are fine there.
fn host_name(text: &str) -> Result<String, Problem> {
    let lower = text.to_lowercase();
    let labels = lower.strip_suffix('.').unwrap_or(&lower);
    let is_name = !labels.is_empty()
        && labels.len() <= 253
        && labels
            .split('.')
            .all(|label| is_label(label.trim_start_matches('_').replace('_', "-").as_str()));
    if is_name {
        Ok(lower)
    } else {
        Err((
            format!("{text:?} is not a host name"),
            "write dns/NAME or dns/NAME:PORT".to_owned(),
        ))
    }
}

fn is_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn not_an_address(text: &str) -> Problem {
    (
        format!("{text:?} is not an IP address"),
        "write ip/ADDR, ip/ADDR:PORT or ip/[IPV6]:PORT".to_owned(),
    )
}

fn unknown_kind(kind: &str, name: &str) -> Problem {
    let spellings = Kind::ALL
        .iter()
        .flat_map(|kind| kind.spellings().iter().copied());
    let hint = match nearest(kind, spellings).first() {
        Some(near) => format!("did you mean {near}/{name}?"),
        None => format!("for {name} in namespace {kind}, write {kind}/pod/{name}"),
    };
    (format!("unknown kind {kind:?}"), hint)
}

impl Target {
    /// The same target at another port.
    ///
    /// # Errors
    /// When the text is no port, or the target names another one.
    pub fn with_port(self, text: &str) -> Result<Self, BadTarget> {
        let bad = |(problem, hint)| BadTarget {
            target: text.to_owned(),
            problem,
            hint,
        };
        let port = port_of(text).map_err(bad)?;
        match &self.port {
            Some(own) if *own != port && self.url.is_none() => Err(bad((
                format!("the destination names port {own} already"),
                "give the port once".to_owned(),
            ))),
            _ => Ok(Self {
                port: Some(port),
                ..self
            }),
        }
    }

    const fn plain(spec: Spec, port: Option<PortSpec>) -> Self {
        Self {
            spec,
            port,
            url: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn object(kind: Kind, namespace: Option<&str>, name: &str) -> Spec {
        Spec::Object {
            kind,
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    #[test]
    fn every_form_of_the_contract() {
        let number = |port| Some(PortSpec::Number(port));
        for (text, spec, port) in [
            ("client-1", Spec::Bare("client-1".into()), None),
            (
                "pod-a:http",
                Spec::Bare("pod-a".into()),
                Some(PortSpec::Name("http".into())),
            ),
            ("example.com", Spec::Bare("example.com".into()), None),
            ("po/a", object(Kind::Pod, None, "a"), None),
            (
                "services/b:80",
                object(Kind::Service, None, "b"),
                number(80),
            ),
            (
                "data/svc/db",
                object(Kind::Service, Some("data"), "db"),
                None,
            ),
            (
                "svc/db.data",
                object(Kind::Service, Some("data"), "db"),
                None,
            ),
            (
                "deployments.apps/x",
                object(Kind::Deployment, None, "x"),
                None,
            ),
            (
                "deployments.v1.apps/x",
                object(Kind::Deployment, None, "x"),
                None,
            ),
            ("Deploy/x", object(Kind::Deployment, None, "x"), None),
            (
                "no/node1:30180",
                object(Kind::Node, None, "node1"),
                number(30180),
            ),
            (
                "ip/10.0.0.1:80",
                Spec::Address([10, 0, 0, 1].into()),
                number(80),
            ),
            ("10.0.0.1", Spec::Address([10, 0, 0, 1].into()), None),
            (
                "fd00::1",
                Spec::Address("fd00::1".parse().expect("an address")),
                None,
            ),
            (
                "[fd00::1]:80",
                Spec::Address("fd00::1".parse().expect("an address")),
                number(80),
            ),
            (
                "ip/[fd00::1]:80",
                Spec::Address("fd00::1".parse().expect("an address")),
                number(80),
            ),
            (
                "dns/DB-0.db.data:5432",
                Spec::Name("db-0.db.data".into()),
                number(5432),
            ),
            (
                "dns/_http._tcp.web.",
                Spec::Name("_http._tcp.web.".into()),
                None,
            ),
            ("external", Spec::External(None), None),
            (
                "external/192.0.2.1",
                Spec::External(Some([192, 0, 2, 1].into())),
                None,
            ),
            (
                "https://shop.example/cart",
                Spec::Name("shop.example".into()),
                number(443),
            ),
            (
                "http://10.0.0.1:8080",
                Spec::Address([10, 0, 0, 1].into()),
                number(8080),
            ),
        ] {
            let target: Target = text.parse().unwrap_or_else(|bad| panic!("{bad}"));
            assert_eq!((target.spec, target.port), (spec, port), "{text}");
        }
    }

    #[test]
    fn what_is_no_target_says_why() {
        for (text, problem, hint) in [
            ("scv/api", "unknown kind", "svc/api"),
            ("shop/client-1", "unknown kind", "shop/pod/client-1"),
            ("a/b/c/d", "more than two slashes", "NAMESPACE/KIND/NAME"),
            ("svc/", "cannot be the name", "RFC 1123"),
            ("Pod_A", "cannot be the name", "RFC 1123"),
            ("svc/a:0", "is not a port", "1 to 65535"),
            ("svc/a:70000", "is not a port", "1 to 65535"),
            ("ip/300.1.1.1", "is not an IP address", "ip/ADDR"),
            ("external/there", "is not an IP address", "ip/ADDR"),
            ("ftp://x", "unknown scheme", "http"),
            ("", "cannot be the name", "RFC 1123"),
        ] {
            let bad = text.parse::<Target>().expect_err(text);
            assert!(bad.problem.contains(problem), "{text}: {bad}");
            assert!(bad.hint.contains(hint), "{text}: {}", bad.hint);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = text.parse::<Target>();
        }

        #[test]
        fn what_is_printed_parses_to_itself(
            text in "(([a-z]{1,5}/)?(pod|svc|deploy|no|ing)/)?[a-z][a-z0-9]{0,8}(:([1-9][0-9]{0,3}|[a-z]{1,8}))?",
        ) {
            let target: Target = text.parse().expect("a target");
            prop_assert_eq!(target.to_string().parse::<Target>(), Ok(target));
        }
    }
}
