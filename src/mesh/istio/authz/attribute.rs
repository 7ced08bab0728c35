//! What rules look at, and whether it fits.

use std::net::IpAddr;

use super::super::super::http::Part;
use super::super::super::text::{fits, within};
use super::{At, Call};
use crate::policy::Truth;

/// One attribute of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attribute<'k> {
    Principal,
    Namespace,
    /// With the namespace of the policy, which names without one mean.
    ServiceAccount(&'k str),
    TrustDomain,
    Address,
    /// The client's as `X-Forwarded-For` tells it; nobody stands between two pods.
    RemoteAddress,
    ServerAddress,
    Port,
    Host,
    Method,
    Path,
    Header(&'k str),
    /// What a token says.
    Token,
    ServerName,
}

// === impl Attribute ===

impl<'k> Attribute<'k> {
    /// That of a field of `source` or `operation`, and whether the field is a negation.
    pub(super) fn of_field(field: &str, namespace: &'k str) -> Option<(Self, bool)> {
        let (name, is_not) = match field.strip_prefix("not") {
            Some(rest) => (rest.to_lowercase(), true),
            None => (field.to_lowercase(), false),
        };
        let attribute = match name.as_str() {
            "principals" => Self::Principal,
            "requestprincipals" => Self::Token,
            "namespaces" => Self::Namespace,
            "serviceaccounts" => Self::ServiceAccount(namespace),
            "trustdomains" => Self::TrustDomain,
            "ipblocks" => Self::Address,
            "remoteipblocks" => Self::RemoteAddress,
            "hosts" => Self::Host,
            "ports" => Self::Port,
            "methods" => Self::Method,
            "paths" => Self::Path,
            _ => return None,
        };
        Some((attribute, is_not))
    }

    /// That of a key of `when`.
    pub(super) fn of_key(key: &'k str, namespace: &'k str) -> Option<Self> {
        let header = key.strip_prefix("request.headers[");
        if let Some(name) = header.and_then(|rest| rest.strip_suffix(']')) {
            return Some(Self::Header(name));
        }
        Some(match key {
            "source.ip" => Self::Address,
            "remote.ip" => Self::RemoteAddress,
            "source.namespace" => Self::Namespace,
            "source.principal" => Self::Principal,
            "source.serviceAccount" => Self::ServiceAccount(namespace),
            "source.trustDomain" => Self::TrustDomain,
            "destination.ip" => Self::ServerAddress,
            "destination.port" => Self::Port,
            "connection.sni" => Self::ServerName,
            key if key.starts_with("request.auth.") => Self::Token,
            _ => return None,
        })
    }

    /// Whether somebody who sees so much of a call does not see this.
    pub(super) const fn is_hidden(self, at: At) -> bool {
        let is_of_request = matches!(
            self,
            Self::Host | Self::Method | Self::Path | Self::Header(_) | Self::Token
        );
        let is_beyond_ztunnel = matches!(
            self,
            Self::TrustDomain | Self::RemoteAddress | Self::ServerName
        );
        match at {
            At::Http => false,
            At::Tcp => is_of_request,
            At::Ztunnel => is_of_request || is_beyond_ztunnel,
        }
    }

    /// Whether one of some values fits the call.
    pub(super) fn is_any(self, values: &[&str], call: &Call<'_>, at: At) -> Truth {
        let any = |of: &str| values.iter().any(|value| fits(value, of));
        match self {
            Self::Principal => principal(values, call, at).into(),
            Self::Namespace => call
                .caller
                .is_some_and(|caller| any(&caller.namespace))
                .into(),
            Self::TrustDomain => call
                .caller
                .is_some_and(|caller| any(&caller.trust_domain))
                .into(),
            Self::ServiceAccount(namespace) => {
                let full = call
                    .caller
                    .map(|caller| (caller.namespace.as_str(), caller.account.as_str()));
                let mut named = values
                    .iter()
                    .map(|value| value.split_once('/').unwrap_or((namespace, value)));
                named.any(|name| Some(name) == full).into()
            }
            Self::Address => within(values, call.caller_address, "the client"),
            Self::RemoteAddress => match call.request.0.and_then(forwarded_for) {
                Some(address) => within(values, Some(address), "the client"),
                None => within(values, call.caller_address, "the client"),
            },
            Self::ServerAddress => within(values, call.server_address, "the server"),
            Self::Port => values
                .iter()
                .any(|value| value.parse() == Ok(call.port))
                .into(),
            Self::Method => call.request.is(Part::Method, any),
            Self::Path => call.request.is(Part::Path, |path| {
                values.iter().any(|value| fits_path(value, path))
            }),
            Self::Host => call.request.is(Part::Host, |host| {
                let host = host.to_lowercase();
                values
                    .iter()
                    .any(|value| fits(&value.to_lowercase(), &host))
            }),
            Self::Header(name) => call.request.is(Part::Header(name), any),
            Self::Token => call.request.is(Part::Other("token"), |_| true),
            Self::ServerName => call.request.is(Part::Other("TLS server name"), |_| true),
        }
    }

    /// In the words of a report.
    pub(super) fn words(self, call: &Call<'_>) -> String {
        let caller = || match call.caller {
            Some(caller) => caller.to_string(),
            None => "a client without identity (plaintext)".to_owned(),
        };
        let request = |part: &str, value: Option<&str>| match value {
            Some(value) => format!("{part} {value}"),
            None => format!("an unknown {part}"),
        };
        let of = call.request.0;
        match self {
            Self::Principal | Self::Namespace | Self::ServiceAccount(_) | Self::TrustDomain => {
                caller()
            }
            Self::Address | Self::RemoteAddress => call
                .caller_address
                .map_or_else(|| "an unknown address".to_owned(), |addr| addr.to_string()),
            Self::ServerAddress => "the server's address".to_owned(),
            Self::Port => format!("port {}", call.port),
            Self::Method => request("method", of.and_then(|of| of.method.as_deref())),
            Self::Path => request("path", of.and_then(|of| of.path.as_deref())),
            Self::Host => request("host", of.and_then(crate::target::HttpAsked::host)),
            Self::Header(name) => request(name, of.and_then(|of| of.header(name))),
            Self::Token => "an unknown token".to_owned(),
            Self::ServerName => "an unknown server name".to_owned(),
        }
    }
}

/// `cluster.local` and every alias stand for the mesh's own trust domain at sidecars; ztunnel takes
/// principals as they are written.
fn principal(values: &[&str], call: &Call<'_>, at: At) -> bool {
    let Some(caller) = call.caller else {
        return false;
    };
    let names: Vec<String> = if at == At::Ztunnel {
        vec![caller.to_string()]
    } else {
        let is_own = call.trust_domains.contains(&caller.trust_domain);
        let aliases = call.trust_domains.iter().map(String::as_str);
        let aliases = aliases.chain(["cluster.local"]).filter(|_| is_own);
        let all = aliases.chain([caller.trust_domain.as_str()]);
        all.map(|domain| {
            let trust_domain = domain.to_owned();
            crate::mesh::Identity {
                trust_domain,
                ..caller.clone()
            }
            .to_string()
        })
        .collect()
    };
    values.iter().any(|value| {
        names
            .iter()
            .any(|name| fits(value.trim_start_matches("spiffe://"), name))
    })
}

fn forwarded_for(request: &crate::target::HttpAsked) -> Option<IpAddr> {
    let list = request.header("x-forwarded-for")?;
    list.split(',').next()?.trim().parse().ok()
}

/// Exact, prefix, suffix, or a template with `{*}` for one element and `{**}` for any number.
fn fits_path(pattern: &str, path: &str) -> bool {
    if !pattern.contains("{*") {
        return fits(pattern, path);
    }
    let escaped: Vec<String> = pattern
        .split('/')
        .map(|part| match part {
            "{*}" => "[^/]+".to_owned(),
            "{**}" => ".*".to_owned(),
            part => regex_lite::escape(part),
        })
        .collect();
    let expression = regex_lite::Regex::new(&format!("^{}$", escaped.join("/")));
    expression.is_ok_and(|expression| expression.is_match(path))
}
