//! One lookup as the resolver of a pod makes it: every expansion in order until one answers.

use std::net::IpAddr;

use super::handler::{Handler, handler};
use super::zone::{Answer, answer};
use super::{ClusterDns, ResolvConf};
use crate::cluster::ClusterView;
use crate::net::Family;

/// A whole lookup.
#[derive(Debug, Clone)]
pub struct Lookup<'v> {
    pub name: String,
    /// What was asked, in order; the last one that answered decides.
    pub attempts: Vec<Attempt<'v>>,
}

/// One expansion of the name.
#[derive(Debug, Clone)]
pub struct Attempt<'v> {
    /// Absolute, without final dot.
    pub name: String,
    pub reply: Reply<'v>,
    /// The Corefile line whose rewrite changed the name.
    pub rewritten_by: Option<usize>,
}

/// What an expansion gets.
#[derive(Debug, Clone)]
pub enum Reply<'v> {
    /// The cluster zone's answer, which may be NXDOMAIN.
    Zone(Answer<'v>),
    /// Addresses that stand in the Corefile.
    Inline { line: usize, addresses: Vec<IpAddr> },
    /// A plugin says no.
    Refusal {
        line: usize,
        plugin: &'static str,
        rcode: String,
    },
    /// Another resolver decides, which the API does not show.
    Forwarded { to: Vec<String> },
    /// No server block takes it: REFUSED.
    Nobody,
    /// A construct that was not evaluated.
    Unknown { line: usize, why: String },
}

// === impl Lookup ===

impl<'v> Lookup<'v> {
    /// The attempt that decides: the first that settles the name inside the cluster, else the first
    /// that was passed on, else the first refusal (all of them said no).
    #[must_use]
    pub fn deciding(&self) -> Option<&Attempt<'v>> {
        let mut attempts = self.attempts.iter();
        let settled = attempts.find(|attempt| attempt.reply.is_settled());
        let mut attempts = self.attempts.iter();
        settled
            .or_else(|| attempts.find(|attempt| matches!(attempt.reply, Reply::Forwarded { .. })))
            .or_else(|| self.attempts.first())
    }

    /// The position of the deciding attempt in the list of expansions, from 1.
    #[must_use]
    pub fn deciding_position(&self) -> usize {
        let deciding = self.deciding().map(|attempt| attempt.name.as_str());
        let mut names = self.attempts.iter().map(|attempt| attempt.name.as_str());
        names
            .position(|name| Some(name) == deciding)
            .map_or(1, |position| position + 1)
    }
}

// === impl Reply ===

impl Reply<'_> {
    /// Whether the resolver stops here: an answer, or an error that is not NXDOMAIN.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        match self {
            Reply::Zone(answer) => !matches!(answer, Answer::None(_)),
            Reply::Inline { .. } | Reply::Refusal { .. } | Reply::Unknown { .. } => true,
            Reply::Forwarded { .. } | Reply::Nobody => false,
        }
    }
}

/// Looks a name up with a pod's resolver configuration. An expansion that is forwarded does not end
/// the list while a later one lies in the cluster zone: upstream servers know no cluster names.
#[must_use]
pub fn lookup<'v>(
    view: &'v ClusterView,
    dns: &ClusterDns<'v>,
    conf: &ResolvConf,
    name: &str,
    family: Family,
) -> Lookup<'v> {
    let mut lookup = Lookup {
        name: name.to_owned(),
        attempts: Vec::new(),
    };
    for expansion in conf.expansions(name) {
        let attempt = attempt(view, dns, expansion, family);
        let is_settled = attempt.reply.is_settled();
        lookup.attempts.push(attempt);
        if is_settled {
            break;
        }
    }
    lookup
}

fn attempt<'v>(
    view: &'v ClusterView,
    dns: &ClusterDns<'v>,
    name: String,
    family: Family,
) -> Attempt<'v> {
    let who = match dns.readable_corefile() {
        Some(corefile) => handler(corefile, &name, family),
        None => unread_corefile(dns, &name),
    };
    let mut rewritten = None;
    let reply = match who {
        Handler::Kubernetes {
            zone,
            name,
            rewritten_by,
            falls_through,
        } => {
            rewritten = rewritten_by;
            match answer(view, &name, &zone) {
                Answer::None(_) if falls_through => Reply::Forwarded { to: Vec::new() },
                answer => Reply::Zone(answer),
            }
        }
        Handler::Inline { line, addresses } => Reply::Inline { line, addresses },
        Handler::Refusal {
            line,
            plugin,
            rcode,
        } => Reply::Refusal {
            line,
            plugin,
            rcode,
        },
        Handler::Forward { to } => Reply::Forwarded { to },
        Handler::Nobody => Reply::Nobody,
        Handler::Unknown { line, why } => Reply::Unknown { line, why },
    };
    Attempt {
        name,
        reply,
        rewritten_by: rewritten,
    }
}

/// Without a Corefile the usual one is assumed: the cluster zone, and everything else forwarded.
fn unread_corefile(dns: &ClusterDns<'_>, name: &str) -> Handler {
    if super::corefile::is_below(name, &dns.domain) {
        Handler::Kubernetes {
            zone: dns.domain.clone(),
            name: name.to_owned(),
            rewritten_by: None,
            falls_through: false,
        }
    } else {
        Handler::Forward { to: Vec::new() }
    }
}
