//! What the kernel says: a real exchange on the way that was asked, small and large in both directions.

use anyhow::Result;

use super::grammar::Question;
use super::spec::Case;
use crate::Lab;

/// How a way does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    Works,
    /// Some of it, or only what is small.
    Partly,
    Fails,
}

/// Exchanges by the address that is asked: enough that one bad backend in three is met in nearly every run.
const SMALL: usize = 8;
/// More of them, where the backends by themselves do otherwise.
const MORE: usize = 24;
/// How many bytes do not fit one packet of any network here.
const LARGE: usize = 60_000;
/// Until a connection is given up: within a lab nothing takes longer, but for a packet that was lost, which is
/// sent again after one second. The rest may take its time on a machine under load.
const PATIENCE: &str = "--connect-timeout 0.9 -m 3";

/// Asks the kernel. What fails is tried once more: a machine under load is no fault.
pub fn truth(lab: &Lab, case: &Case) -> Result<Truth> {
    let (question, dual) = (case.question, case.world.dual);
    // One client meets one backend, or picks one that answers: the others are asked by themselves.
    let pinned = |truth| {
        let is_other = match truth {
            Truth::Partly => false,
            _ if !case.is_pinned() => false,
            Truth::Works => members(lab, question)?.contains(&false),
            Truth::Fails => members(lab, question)?.contains(&true),
        };
        Ok(if is_other { Truth::Partly } else { truth })
    };
    match exchange(lab, question, dual)? {
        Truth::Works => pinned(Truth::Works),
        first => {
            let again = exchange(lab, question, dual)?;
            if again == first {
                pinned(first)
            } else {
                pinned(exchange(lab, question, dual)?)
            }
        }
    }
}

/// How the exchanges with each endpoint of the Service by itself end; none where its name is not resolved, as
/// no client gets to one then.
fn members(lab: &Lab, question: &Question) -> Result<Vec<bool>> {
    let of_service = format!(
        "@(endpoints {}/{} {})",
        question.ns, question.svc, question.port
    );
    let hosts = question.urls.iter().filter_map(|url| {
        let host = url.split("://").nth(1)?.rsplit_once(':')?.0;
        host.contains("cluster.local").then_some(host)
    });
    let resolved = hosts.map(|host| format!("timeout 6 getent ahosts {host} >/dev/null && "));
    let guarded = format!(
        "{}{{ {}; wait; }}",
        resolved.collect::<String>(),
        own(&of_service)
    );
    let seen = run(lab, question, &[guarded])?;
    Ok(seen.into_iter().map(|(_, worked)| worked).collect())
}

fn exchange(lab: &Lab, question: &Question, dual: bool) -> Result<Truth> {
    let mut tries = asked(question, dual, SMALL);
    tries.push(own(&backends(question)));
    let seen = run(lab, question, &tries)?;
    let first = judge(&seen);
    let one_is_bad = seen.iter().any(|(what, worked)| what == "own" && !worked);
    let one_is_good = seen.iter().any(|(what, worked)| what == "own" && *worked);
    let by_chance = match first {
        Truth::Works => one_is_bad,
        Truth::Partly => false,
        Truth::Fails => one_is_good,
    };
    if !by_chance {
        return Ok(first);
    }
    // Every one of those met a good backend, or none did.
    let more = judge(&run(lab, question, &asked(question, dual, MORE))?);
    Ok(if more == first { first } else { Truth::Partly })
}

/// Exchanges with each of the sockets by itself.
fn own(addresses: &str) -> String {
    format!(
        "for to in {addresses}; do {} {} {} done",
        get("own", "http://$to/hostname"),
        get("own", &format!("http://$to/bulk?bytes={LARGE}")),
        put("own", "http://$to"),
    )
}

/// Exchanges by what a user asks: in both families where its name has both.
fn asked(question: &Question, dual: bool, count: usize) -> Vec<String> {
    let mut tries = Vec::new();
    for url in &question.urls {
        let families = if dual && url.contains("cluster.local") {
            &["-4 ", "-6 "][..]
        } else {
            &[""]
        };
        for family in families {
            tries.extend(vec![
                get("small", &format!("{family}{url}/hostname"));
                count
            ]);
            tries.extend(vec![
                get(
                    "large",
                    &format!("{family}{url}/bulk?bytes={LARGE}")
                );
                count / 4
            ]);
            tries.extend(vec![put("large", &format!("{family}{url}")); count / 4]);
        }
    }
    tries
}

/// The addresses of the question's pods.
fn backends(question: &Question) -> String {
    let (ns, app, target) = (&question.ns, &question.app, question.target);
    format!("$(for ip in @(pods {ns} app={app}); do echo $ip:{target}; done)")
}

fn get(what: &str, url: &str) -> String {
    tried(what, url)
}

fn put(what: &str, url: &str) -> String {
    tried(
        what,
        &format!("--data-binary @/run/lab/large {url}/received"),
    )
}

/// A line for the shell, beside all others: `small 1` where it worked.
fn tried(what: &str, words: &str) -> String {
    format!("{{ curl -sf {PATIENCE} -o /dev/null {words} && echo {what} 1 || echo {what} 0; }} &")
}

fn run(lab: &Lab, question: &Question, tries: &[String]) -> Result<Vec<(String, bool)>> {
    let script = format!(
        "head -c {LARGE} /dev/zero > /run/lab/large\n{}\nwait",
        tries.join("\n")
    );
    let said = lab.run(&question.at, &script)?.stdout;
    let lines = said.lines().filter_map(|line| line.split_once(' '));
    Ok(lines
        .map(|(what, worked)| (what.to_owned(), worked == "1"))
        .collect())
}

/// What comes of the exchanges by the address that was asked.
fn judge(seen: &[(String, bool)]) -> Truth {
    let mut asked = seen.iter().filter(|(what, _)| what != "own");
    let mut small = seen.iter().filter(|(what, _)| what == "small");
    if asked.all(|(_, worked)| *worked) {
        Truth::Works
    } else if small.any(|(_, worked)| *worked) {
        Truth::Partly
    } else {
        Truth::Fails
    }
}
