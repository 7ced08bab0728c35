//! Images by name: which tools they hold, and what they run by themselves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::launch::{HOME, find};

/// What stands for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The folder that becomes `/bin`, or `None` for all of the host's tools.
    pub tools: Option<PathBuf>,
    /// The user where the pod names none.
    pub uid: u32,
    /// What runs where the container names no command; the program is bound in from the host.
    pub entry_point: Vec<String>,
}

/// All images this lab has.
#[derive(Debug)]
pub struct Images {
    by_name: BTreeMap<&'static str, Image>,
    extra: BTreeMap<String, Vec<String>>,
}

/// Beside busybox's applets.
const AGNHOST: [&str; 7] = ["bash", "curl", "dig", "ip", "ss", "nslookup", "getent"];
const KUBE_PROXY: [&str; 14] = [
    "sh",
    "ls",
    "cat",
    "iptables-save",
    "ip6tables-save",
    "iptables-nft-save",
    "iptables-legacy-save",
    "iptables",
    "ip6tables",
    "nft",
    "ipset",
    "conntrack",
    "ip",
    "sysctl",
];
/// For hosts without busybox.
const SMALL: [&str; 40] = [
    "sh", "ls", "cat", "echo", "sleep", "true", "false", "test", "tar", "gzip", "grep", "sed",
    "awk", "head", "tail", "wc", "cut", "sort", "tr", "id", "ps", "kill", "env", "mkdir", "rm",
    "mv", "cp", "chmod", "ln", "touch", "date", "hostname", "uname", "nc", "wget", "nslookup",
    "ping", "timeout", "dd", "base64",
];

// === impl Images ===

impl Images {
    /// Lays out the images; `extra` are names with an entry point each.
    pub fn lay_out(extra: BTreeMap<String, Vec<String>>) -> Result<Self> {
        let busybox = folder("busybox", &busybox_tools())?;
        let more = AGNHOST
            .iter()
            .filter_map(|tool| Some(((*tool).to_owned(), find(tool)?)));
        let agnhost = folder(
            "agnhost",
            &busybox_tools().into_iter().chain(more).collect::<Vec<_>>(),
        )?;
        let proxy = KUBE_PROXY
            .iter()
            .filter_map(|tool| Some(((*tool).to_owned(), find(tool)?)));
        let proxy = folder("kube-proxy", &proxy.collect::<Vec<_>>())?;
        let empty = folder("empty", &[])?;
        let image = |tools: &Path, uid| Image {
            tools: Some(tools.to_owned()),
            uid,
            entry_point: Vec::new(),
        };
        let all = Image {
            tools: None,
            uid: 0,
            entry_point: Vec::new(),
        };
        let by_name = BTreeMap::from([
            ("busybox", image(&busybox, 0)),
            ("alpine", image(&busybox, 0)),
            ("nginx", image(&busybox, 0)),
            ("agnhost", image(&agnhost, 0)),
            ("netshoot", all.clone()),
            ("debian", all),
            ("kube-proxy", image(&proxy, 0)),
            ("coredns", image(&empty, 65_532)),
            ("pause", image(&empty, 65_535)),
        ]);
        Ok(Self { by_name, extra })
    }

    /// The image of a reference such as `docker.io/library/busybox:1.36`; `None` cannot be pulled.
    pub fn find(&self, reference: &str) -> Option<Image> {
        if let Some(words) = self.extra.get(reference) {
            return Some(Image {
                tools: self.by_name.get("coredns")?.tools.clone(),
                uid: 0,
                entry_point: words.clone(),
            });
        }
        let unpullable = reference.contains(".invalid/") || reference.contains("/none");
        let last = reference.rsplit('/').next()?;
        let name = last.split(['@', ':']).next()?;
        self.by_name.get(name).filter(|_| !unpullable).cloned()
    }
}

/// busybox's applets, or the like of the host's own tools. Its wget crashes where it is linked
/// statically, as Debian's is; the host's own takes the same options.
fn busybox_tools() -> Vec<(String, PathBuf)> {
    let mut tools = applets();
    if let Some(wget) = find("wget") {
        tools.retain(|(name, _)| name != "wget");
        tools.push(("wget".to_owned(), wget));
    }
    tools
}

fn applets() -> Vec<(String, PathBuf)> {
    let applets = find("busybox").and_then(|busybox| {
        let output = Command::new(&busybox).arg("--list").output().ok()?;
        let names = String::from_utf8(output.stdout).ok()?;
        Some(
            names
                .lines()
                .map(|name| (name.to_owned(), busybox.clone()))
                .collect::<Vec<_>>(),
        )
    });
    applets.filter(|list| !list.is_empty()).unwrap_or_else(|| {
        SMALL
            .iter()
            .filter_map(|tool| Some(((*tool).to_owned(), find(tool)?)))
            .collect()
    })
}

/// A folder of links into the host's tools, as containers see them.
fn folder(name: &str, tools: &[(String, PathBuf)]) -> Result<PathBuf> {
    let folder = PathBuf::from(format!("{HOME}/images/{name}"));
    std::fs::create_dir_all(&folder)?;
    for (tool, program) in tools {
        let link = folder.join(tool);
        if link.symlink_metadata().is_err() {
            std::os::unix::fs::symlink(super::root::inside_host(program), link)?;
        }
    }
    Ok(folder)
}
