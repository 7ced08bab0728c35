//! Who asks: a client certificate, a bearer token, and whom they impersonate.

use std::sync::Arc;

use hyper::header::AUTHORIZATION;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::rbac::{self, Ask};
use super::refusal::Refusal;
use super::request::Call;
use crate::store::{Key, Store};

const AUTHENTICATED: &str = "system:authenticated";

/// A user and the groups that give rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub groups: Vec<String>,
}

// === impl User ===

impl User {
    pub fn new(name: &str, groups: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        }
    }

    fn anonymous() -> Self {
        Self::new("system:anonymous", &["system:unauthenticated"])
    }

    /// CN is the user, every O a group.
    pub fn of_certificate(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(certificate).ok()?;
        let subject = certificate.tbs_certificate().subject().to_string();
        let mut user = Self::new("", &[]);
        for part in subject.split(',') {
            match part.trim().split_once('=') {
                Some(("CN", name)) => name.clone_into(&mut user.name),
                Some(("O", group)) => user.groups.push(group.to_owned()),
                _ => {}
            }
        }
        user.groups.push(AUTHENTICATED.to_owned());
        Some(user)
    }

    /// The token of a service account, as the lab writes it into pods: `serviceaccount:NAMESPACE:NAME`.
    fn of_token(store: &Store, token: &str) -> Option<Self> {
        let (namespace, name) = token.strip_prefix("serviceaccount:")?.split_once(':')?;
        store.get(&Key::new("", "serviceaccounts", namespace, name))?;
        let own = format!("system:serviceaccounts:{namespace}");
        let groups = ["system:serviceaccounts", &own, AUTHENTICATED];
        Some(Self::new(
            &format!("system:serviceaccount:{namespace}:{name}"),
            &groups,
        ))
    }

    pub fn value(&self) -> Value {
        json!({"username": self.name, "groups": self.groups})
    }
}

/// Who a request counts as.
pub fn of_call(
    store: &Arc<Store>,
    call: &Call,
    certificate: Option<&User>,
) -> Result<User, Refusal> {
    let real = match (certificate, call.headers.get(AUTHORIZATION)) {
        (Some(user), _) => user.clone(),
        (None, None) => User::anonymous(),
        (None, Some(value)) => {
            let token = value
                .to_str()
                .ok()
                .and_then(|value| value.strip_prefix("Bearer "));
            token
                .and_then(|token| User::of_token(store, token))
                .ok_or_else(Refusal::unauthorized)?
        }
    };
    impersonated(store, call, real)
}

/// The user of the `Impersonate-*` headers, if the real one may.
fn impersonated(store: &Arc<Store>, call: &Call, real: User) -> Result<User, Refusal> {
    let Some(name) = call.header("impersonate-user") else {
        return Ok(real);
    };
    let groups: Vec<&str> = call
        .headers
        .get_all("impersonate-group")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let account = name
        .strip_prefix("system:serviceaccount:")
        .and_then(|rest| rest.split_once(':'));
    let (resource, namespace, plain) = match account {
        Some((namespace, name)) => ("serviceaccounts", namespace, name),
        None => ("users", "", name),
    };
    let mut asks = vec![Ask::object("impersonate", "", resource, namespace, plain)];
    asks.extend(
        groups
            .iter()
            .map(|group| Ask::object("impersonate", "", "groups", "", group)),
    );
    for ask in asks {
        if !rbac::allows(store, &real, &ask) {
            return Err(rbac::refusal(&real, &ask));
        }
    }
    let mut user = User::new(name, &groups);
    if let Some((namespace, _)) = account.filter(|_| groups.is_empty()) {
        user.groups = vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
        ];
    }
    if !user.groups.iter().any(|group| group == AUTHENTICATED) && name != "system:anonymous" {
        user.groups.push(AUTHENTICATED.to_owned());
    }
    Ok(user)
}
