//! `bpftool -j net`: programs that look at packets before, or beside, all rules.

use serde::Deserialize;

use super::{BadFact, json_list};

/// A program on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    pub device: String,
    /// `xdp`, `clsact/ingress`, `tcx/egress` …
    pub hook: String,
    /// Its name, if it has one.
    pub name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Listing {
    xdp: Vec<AttachedProgram>,
    tc: Vec<AttachedProgram>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct AttachedProgram {
    devname: String,
    kind: String,
    name: String,
}

/// Reads the listing.
///
/// # Errors
/// When the text is no such JSON.
pub fn attached(text: &str) -> Result<Vec<Attached>, BadFact> {
    let listings: Vec<Listing> = json_list("bpftool -j net", text)?;
    let all = listings.into_iter().flat_map(|listing| {
        let xdp = listing.xdp.into_iter().map(|entry| entry.at("xdp"));
        let tc = listing.tc.into_iter().map(|entry| {
            let hook = entry.kind.clone();
            entry.at(&hook)
        });
        xdp.chain(tc).collect::<Vec<_>>()
    });
    Ok(all.filter(|one| !one.device.is_empty()).collect())
}

// === impl AttachedProgram ===

impl AttachedProgram {
    fn at(self, hook: &str) -> Attached {
        Attached {
            device: self.devname,
            hook: hook.to_owned(),
            name: self.name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds() {
        let text = r#"[{"xdp":[{"devname":"eth0","ifindex":2,"mode":"generic","id":7}],
            "tc":[{"devname":"cni0","ifindex":3,"kind":"clsact/ingress","name":"old_filter","id":9}],
            "flow_dissector":[],"netfilter":[]}]"#;
        let all = attached(text).unwrap();
        assert_eq!(
            (all[0].device.as_str(), all[0].hook.as_str()),
            ("eth0", "xdp")
        );
        assert_eq!(
            (all[1].hook.as_str(), all[1].name.as_str()),
            ("clsact/ingress", "old_filter")
        );
        assert_eq!(attached("").unwrap(), []);
        assert!(attached("xdp:").is_err());
    }
}
