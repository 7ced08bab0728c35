//! Which programs can be uploaded as the agent, and where each of them runs.
//!
//! ```text
//!  --agent-binary, else those inside the plugin, else those beside it ─► Agents ─► the one for a node
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::observe::ProbeError;

/// The agents that this plugin was built with, by architecture.
const BUILT_IN: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/agents.rs"));

/// An agent that can be uploaded.
#[derive(Debug, Clone)]
pub struct Binary {
    /// Where it comes from, for messages.
    pub origin: String,
    pub bytes: Arc<[u8]>,
    /// `amd64`, `arm64` …, as Kubernetes names it.
    pub arch: &'static str,
}

/// The agents at hand, at most one for an architecture.
#[derive(Debug, Clone)]
pub struct Agents(Vec<Binary>);

/// What keeps a file from being an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unfit {
    NotLinux,
    Dynamic,
    UnknownMachine(u16),
}

// === impl Agents ===

impl Agents {
    /// The file that `--agent-binary` names; else those built into the plugin; else those beside it, named
    /// `netpath-agent-linux-ARCH` or `netpath-agent`.
    ///
    /// # Errors
    /// When the named file cannot be read, is no Linux program, or needs a dynamic loader that a foreign
    /// container does not have; or when there is none at all.
    pub fn find(named: Option<&Path>) -> Result<Self, ProbeError> {
        if let Some(path) = named {
            return Ok(Self(vec![Binary::read(path)?]));
        }
        let built_in = BUILT_IN.iter().map(|(arch, bytes)| Binary {
            origin: "the agent of this plugin".to_owned(),
            bytes: (*bytes).into(),
            arch,
        });
        let mut all: Vec<Binary> = built_in.collect();
        if all.is_empty() {
            all.extend(beside());
        }
        if all.is_empty() {
            return Err(none("this plugin embeds no agent", "amd64"));
        }
        Ok(Self(all))
    }

    /// The agent for a node of a system and an architecture; where a node does not say them, any.
    ///
    /// # Errors
    /// When there is none for them.
    pub fn for_node(&self, system: &str, arch: &str) -> Result<&Binary, ProbeError> {
        if !system.is_empty() && system != "linux" {
            let why = format!("the agent runs on Linux, the node on {system}");
            return Err(none(&why, "amd64"));
        }
        let fits = |agent: &&Binary| arch.is_empty() || agent.arch == arch;
        self.0.iter().find(fits).ok_or_else(|| {
            let known: Vec<&str> = self.0.iter().map(|agent| agent.arch).collect();
            let known = known.join(" and ");
            none(
                &format!("there is an agent for {known}, the node is {arch}"),
                arch,
            )
        })
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Binary] {
        &self.0
    }
}

// === impl Binary ===

impl Binary {
    fn read(path: &Path) -> Result<Self, ProbeError> {
        let origin = path.display().to_string();
        let unusable = |why: &str| {
            none(
                &format!("{origin} cannot be uploaded as the agent: {why}"),
                "amd64",
            )
        };
        let bytes = std::fs::read(path).map_err(|error| unusable(&error.to_string()))?;
        let arch = machine(&bytes).map_err(|unfit| unusable(&unfit.to_string()))?;
        Ok(Self {
            origin,
            bytes: bytes.into(),
            arch,
        })
    }
}

/// Agents in the plugin's own folder, as an archive of a release or `cargo build` leaves them there.
fn beside() -> Vec<Binary> {
    let folder = std::env::current_exe().ok();
    let Some(folder) = folder.as_deref().and_then(Path::parent) else {
        return Vec::new();
    };
    let names = [
        "netpath-agent-linux-amd64",
        "netpath-agent-linux-arm64",
        "netpath-agent",
    ];
    let paths = names.map(|name| PathBuf::from(folder).join(name));
    let mut found: Vec<Binary> = Vec::new();
    for agent in paths.iter().filter_map(|path| Binary::read(path).ok()) {
        if found.iter().all(|other| other.arch != agent.arch) {
            found.push(agent);
        }
    }
    found
}

fn none(why: &str, arch: &str) -> ProbeError {
    let triple = match arch {
        "arm64" => "aarch64-unknown-linux-musl",
        _ => "x86_64-unknown-linux-musl",
    };
    ProbeError::Binary {
        why: why.to_owned(),
        hint: format!(
            "build one (cargo build -p netpath-agent --profile agent --target {triple}) and name it with \
             --agent-binary, use --agent-image, or --no-probe"
        ),
    }
}
/// The architecture of a static ELF file (ELF-64 object file format: `e_machine` at 18, program
/// headers from `e_phoff`, type 3 = `PT_INTERP` asks for a dynamic loader).
fn machine(bytes: &[u8]) -> Result<&'static str, Unfit> {
    let half = |at: usize| Some(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return Err(Unfit::NotLinux);
    }
    let arch = match half(18) {
        Some(62) => "amd64",
        Some(183) => "arm64",
        Some(22) => "s390x",
        Some(21) => "ppc64le",
        Some(243) => "riscv64",
        other => return Err(Unfit::UnknownMachine(other.unwrap_or_default())),
    };
    let offset = bytes
        .get(32..40)
        .and_then(|eight| eight.try_into().ok())
        .map(u64::from_le_bytes);
    let first = usize::try_from(offset.unwrap_or_default()).unwrap_or(usize::MAX);
    let (size, count) = (half(54).unwrap_or_default(), half(56).unwrap_or_default());
    let is_interpreter = |index: u16| {
        let at = first.saturating_add(usize::from(size) * usize::from(index));
        bytes.get(at..at.saturating_add(4)) == Some(&[3, 0, 0, 0])
    };
    if (0..count).any(is_interpreter) {
        return Err(Unfit::Dynamic);
    }
    Ok(arch)
}

// === impl Unfit ===

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotLinux => f.write_str("it is not a 64-bit Linux program"),
            Self::Dynamic => {
                f.write_str("it is dynamically linked and would not start in a foreign container")
            }
            Self::UnknownMachine(machine) => {
                write!(f, "it is built for machine {machine}, which no node has")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: u16, header_type: u8) -> Vec<u8> {
        let mut bytes = vec![0; 64 + 56];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = 1;
        bytes[64] = header_type;
        bytes
    }

    #[test]
    fn only_static_linux_programs_are_taken() {
        assert_eq!(machine(&elf(62, 1)), Ok("amd64"));
        assert_eq!(machine(&elf(183, 1)), Ok("arm64"));
        assert_eq!(machine(&elf(62, 3)), Err(Unfit::Dynamic));
        assert_eq!(machine(&elf(40, 1)), Err(Unfit::UnknownMachine(40)));
        assert_eq!(machine(b"\xcf\xfa\xed\xfe"), Err(Unfit::NotLinux));
        assert_eq!(machine(&elf(62, 1)[..20]), Ok("amd64"));
    }
}
