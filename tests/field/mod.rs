//! What people really have: healthy oddities that must stay green, dumps that must not be believed, and
//! faults that only the whole picture shows. Each case is a healthy recording with a file or an object
//! changed; what is asked stands beside what is right.

mod doors;
mod pasted;
mod pods;
mod proof;
mod shared;
mod unknown;

use netpath::cluster::{ClusterView, snapshot};
use netpath::diagnose::Verdict;

use crate::nodes::{ask, faults, recording};

/// A change of a healthy recording, and what may be said of it.
pub struct Case {
    pub what: &'static str,
    pub recording: &'static str,
    pub args: &'static [&'static str],
    pub change: fn(&mut ClusterView),
    /// Any of these.
    pub verdicts: &'static [Verdict],
    /// The first cause that is no notice; none at all where this is empty.
    pub codes: &'static [&'static str],
}

pub const SERVICE: &[&str] = &["pod/client-1", "svc/api"];
pub const METADATA: &[&str] = &["pod/client-1", "ip/169.254.169.254:80"];
pub const GREEN: &[Verdict] = &[Verdict::Reachable];
pub const OPEN: &[Verdict] = &[Verdict::Undetermined];
pub const RED: &[Verdict] = &[Verdict::Unreachable];
pub const RED_OR_HALF: &[Verdict] = &[Verdict::Unreachable, Verdict::Degraded];

/// A case of the recording of a pod that asks a Service.
pub const fn case(
    what: &'static str,
    verdicts: &'static [Verdict],
    codes: &'static [&'static str],
    change: fn(&mut ClusterView),
) -> Case {
    Case {
        what,
        recording: "ok-pod-to-service",
        args: SERVICE,
        change,
        verdicts,
        codes,
    }
}

/// Asks every case, and complains of all that are answered wrongly at once.
pub fn check(cases: &[Case]) {
    let mut wrong = Vec::new();
    for case in cases {
        let Some(folder) = recording(case.recording)
            .or_else(|| recording(&format!("recorded/{}", case.recording)))
        else {
            continue;
        };
        let mut view = snapshot::load(&folder).expect("a recording");
        (case.change)(&mut view);
        let report = ask(&view, case.args);
        let found = faults(&report);
        let is_right = case.verdicts.contains(&report.verdict)
            && match found.first() {
                None => case.codes.is_empty(),
                Some(first) => case.codes.contains(first),
            };
        if !is_right {
            wrong.push(format!(
                "{}: {:?} {:?} expected, {:?} {found:?} found",
                case.what, case.verdicts, case.codes, report.verdict
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Adds an interface to a listing of `ip -j addr`.
pub fn add_link(text: &mut Option<String>, name: &str, address: &str) {
    let listing = text.as_mut().expect("addresses of the recording");
    let end = listing.rfind(']').expect("a JSON list");
    let link = format!(
        r#",{{"ifindex":99,"ifname":"{name}","flags":["BROADCAST","NOARP"],"mtu":1500,"link_type":"ether","addr_info":[{{"family":"inet","local":"{address}","prefixlen":32,"scope":"global"}}]}}"#
    );
    listing.insert_str(end, &link);
}

/// Adds lines to a file.
pub fn append(text: &mut Option<String>, lines: &str) {
    let text = text.get_or_insert_default();
    text.push('\n');
    text.push_str(lines);
    text.push('\n');
}

/// Puts a rule in front of all others of a chain of one table.
pub fn first_rule(text: &mut Option<String>, table: &str, chain: &str, rule: &str) {
    let dump = text.as_mut().expect("rules of the recording");
    let start = dump.find(&format!("*{table}\n")).expect("the table");
    let end = start + dump[start..].find("COMMIT").expect("its end");
    let first = dump[start..end].find(&format!("-A {chain} "));
    let at = first.map_or(end, |at| {
        let at = start + at;
        dump[..at].rfind('\n').expect("a line before") + 1
    });
    dump.insert_str(at, &format!("[1:60] -A {chain} {rule}\n"));
}
