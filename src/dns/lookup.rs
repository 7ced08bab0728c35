//! One lookup as the resolver of a pod makes it: every expansion in order until one answers.

use std::net::IpAddr;

use super::corefile::{At, is_below};
use super::handler::{Handler, fallen_through, handler};
use super::upstream::{Upstream, upstream};
use super::zone::{Answer, answer};
use super::{ClusterDns, ResolvConf, cluster_set};
use crate::cluster::ClusterView;
use crate::cluster::multicluster::ServiceImport;
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
    /// The rewrite that changed the name.
    pub rewritten_by: Option<At>,
}

/// What an expansion gets.
#[derive(Debug, Clone)]
pub enum Reply<'v> {
    /// The cluster zone's answer, which may be NXDOMAIN.
    Zone(Answer<'v>),
    /// The answer of servers that the zone of a cluster set is handed over to.
    Delegated { to: Vec<String>, answer: Answer<'v> },
    /// Addresses that stand in the Corefile.
    Inline { at: At, addresses: Vec<IpAddr> },
    /// Another name that stands in the Corefile.
    Alias { at: At, target: String },
    /// A plugin says no.
    Refusal {
        at: At,
        plugin: &'static str,
        rcode: String,
        /// Whether the cluster's zone would have had an answer.
        hides: bool,
    },
    /// A rewrite makes a name of the cluster of it, and its block asks servers that know none.
    Strayed {
        at: At,
        name: String,
        to: Vec<String>,
    },
    /// Another resolver decides, which the API does not show.
    Forwarded {
        to: Vec<String>,
        /// Whether the cache of the node passes it on, past the cluster's DNS.
        by_cache: bool,
    },
    /// No server block takes it: REFUSED.
    Nobody,
    /// A construct that was not evaluated.
    Unknown { at: At, why: String },
}

/// How often the DNS may ask itself before that is a loop.
const MAX_FORWARDS: usize = 3;

// === impl Lookup ===

impl<'v> Lookup<'v> {
    /// The attempt that decides: the first that settles the name inside the cluster, else one that
    /// would but for the Corefile, else the first that was passed on, else the first refusal (all of
    /// them said no).
    #[must_use]
    pub fn deciding(&self) -> Option<&Attempt<'v>> {
        let first = |is: fn(&Reply<'v>) -> bool| {
            let mut attempts = self.attempts.iter();
            attempts.find(|attempt| is(&attempt.reply))
        };
        first(Reply::is_settled)
            .or_else(|| first(Reply::is_in_the_way))
            .or_else(|| first(|reply| matches!(reply, Reply::Forwarded { .. })))
            .or_else(|| first(|reply| matches!(reply, Reply::Refusal { .. })))
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
    pub fn is_settled(&self) -> bool {
        match self {
            Reply::Zone(answer) | Reply::Delegated { answer, .. } => {
                !matches!(answer, Answer::None(_))
            }
            Reply::Inline { .. } | Reply::Alias { .. } | Reply::Unknown { .. } => true,
            Reply::Refusal { rcode, .. } => rcode != "NXDOMAIN",
            Reply::Strayed { .. } | Reply::Forwarded { .. } | Reply::Nobody => false,
        }
    }

    /// Whether the Corefile keeps a name from the answer that the cluster has.
    const fn is_in_the_way(&self) -> bool {
        matches!(
            self,
            Reply::Strayed { .. } | Reply::Refusal { hides: true, .. }
        )
    }
}

/// One lookup being made.
#[derive(Clone, Copy)]
struct Asking<'a, 'v> {
    view: &'v ClusterView,
    dns: &'a ClusterDns<'v>,
    family: Family,
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
    let asking = Asking { view, dns, family };
    for expansion in conf.expansions(name) {
        let (reply, rewritten_by) = asking.first(conf, &expansion);
        let is_settled = reply.is_settled();
        lookup.attempts.push(Attempt {
            name: expansion,
            reply,
            rewritten_by,
        });
        if is_settled {
            break;
        }
    }
    lookup
}

// === impl Asking ===

impl<'v> Asking<'_, 'v> {
    /// What the server in resolv.conf replies: the cache of the node where there is one, which passes
    /// names of the cluster on and asks for all others past the cluster's DNS.
    fn first(self, conf: &ResolvConf, name: &str) -> (Reply<'v>, Option<At>) {
        let cache = self.dns.cache_asked(self.view, conf);
        let passed = cache.map(|cache| handler(cache, name, self.family));
        match passed {
            Some(Handler::Forward { to, .. }) if self.leads_to(&to) != Upstream::Cluster => {
                let by_cache = true;
                (Reply::Forwarded { to, by_cache }, None)
            }
            _ => self.reply(name, MAX_FORWARDS),
        }
    }

    /// What the cluster's DNS replies, and the rewrite that had a part in it.
    fn reply(self, name: &str, left: usize) -> (Reply<'v>, Option<At>) {
        let corefile = self.dns.readable_corefile();
        let who = match corefile {
            Some(corefile) => handler(corefile, name, self.family),
            None => unread_corefile(self.dns, name),
        };
        let reply = match who {
            Handler::Kubernetes {
                zone,
                name,
                rewritten_by,
                falls_through,
            } => {
                let reply = match (answer(self.view, &name, &zone), corefile) {
                    (Answer::None(_), Some(corefile)) if falls_through => {
                        let beyond = fallen_through(corefile, &name);
                        return (self.passed_on(beyond, left).0, rewritten_by);
                    }
                    (answer, _) => Reply::Zone(answer),
                };
                return (reply, rewritten_by);
            }
            Handler::ClusterSet {
                at,
                zone,
                name,
                rewritten_by,
                falls_through,
            } => {
                let reply = match (cluster_set::answer(self.view, &name, &zone), corefile) {
                    (Ok(Answer::None(_)), Some(corefile)) if falls_through => {
                        let beyond = fallen_through(corefile, &name);
                        return (self.passed_on(beyond, left).0, rewritten_by);
                    }
                    (Ok(answer), _) => Reply::Zone(answer),
                    (Err(why), _) => Reply::Unknown { at, why },
                };
                return (reply, rewritten_by);
            }
            who @ Handler::Forward { .. } => return self.passed_on(who, left),
            Handler::Inline { at, addresses } => Reply::Inline { at, addresses },
            Handler::Alias { at, target } => Reply::Alias { at, target },
            Handler::Refusal { at, plugin, rcode } => {
                let hides = self.knows(name);
                Reply::Refusal {
                    at,
                    plugin,
                    rcode,
                    hides,
                }
            }
            Handler::Nobody => Reply::Nobody,
            Handler::Unknown { at, why } => Reply::Unknown { at, why },
        };
        (reply, None)
    }

    /// What comes of asking other servers: the cluster's own DNS may be one of them.
    fn passed_on(self, who: Handler, left: usize) -> (Reply<'v>, Option<At>) {
        let (to, name, by) = match who {
            Handler::Forward {
                to,
                name,
                rewritten_by,
            } => (to, name, rewritten_by),
            Handler::Unknown { at, why } => return (Reply::Unknown { at, why }, None),
            _ => return (Reply::Nobody, None),
        };
        if let Some(reply) = self.delegated(&name, &to) {
            return (reply, by);
        }
        let is_of_cluster = is_below(&name, &self.dns.domain);
        match (self.leads_to(&to), by) {
            (Upstream::Cluster, by) if left > 0 => {
                let (reply, again) = self.reply(&name, left - 1);
                (reply, again.or(by))
            }
            (Upstream::Outside, Some(at)) if is_of_cluster => {
                (Reply::Strayed { at, name, to }, None)
            }
            _ => {
                let by_cache = false;
                (Reply::Forwarded { to, by_cache }, None)
            }
        }
    }

    /// What servers answer that a block for the zone of a cluster set hands it over to.
    fn delegated(self, name: &str, to: &[String]) -> Option<Reply<'v>> {
        let block = cluster_set::delegation(self.dns.readable_corefile()?, name)?;
        let at = block.at.clone();
        let answer = cluster_set::answer(self.view, name, cluster_set::ZONE);
        Some(match answer {
            // What they answer from is known only where they are part of this cluster, and imports were read.
            Ok(Answer::None(_))
                if self.leads_to(to) != Upstream::Inside
                    || ServiceImport::all(self.view).next().is_none() =>
            {
                let why = "what its servers know was not read".to_owned();
                Reply::Unknown { at, why }
            }
            Ok(answer) => Reply::Delegated {
                to: to.to_vec(),
                answer,
            },
            Err(why) => Reply::Unknown { at, why },
        })
    }

    /// Where a list of servers leads; any of them may be asked.
    fn leads_to(self, to: &[String]) -> Upstream {
        let mut all = to
            .iter()
            .map(|server| upstream(self.view, self.dns, server));
        let first = all.next().unwrap_or(Upstream::Outside);
        if all.all(|other| other == first) {
            first
        } else {
            Upstream::Inside
        }
    }

    /// Whether the cluster's zone has a name.
    fn knows(self, name: &str) -> bool {
        let zone = &self.dns.domain;
        is_below(name, zone) && !matches!(answer(self.view, name, zone), Answer::None(_))
    }
}

/// Without a Corefile the usual one is assumed: the cluster zone, and everything else forwarded.
fn unread_corefile(dns: &ClusterDns<'_>, name: &str) -> Handler {
    if is_below(name, &dns.domain) {
        Handler::Kubernetes {
            zone: dns.domain.clone(),
            name: name.to_owned(),
            rewritten_by: None,
            falls_through: false,
        }
    } else {
        Handler::Forward {
            to: Vec::new(),
            name: name.to_owned(),
            rewritten_by: None,
        }
    }
}
