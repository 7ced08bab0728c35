//! Which file is uploaded as the agent, and whether it can run where it goes.

use std::path::{Path, PathBuf};

use super::ProbeError;

/// An agent that can be uploaded.
#[derive(Debug, Clone)]
pub struct Binary {
    pub path: PathBuf,
    pub bytes: std::sync::Arc<Vec<u8>>,
    /// `amd64`, `arm64` …, as Kubernetes names it.
    pub arch: &'static str,
}

/// What keeps a file from being an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unfit {
    NotLinux,
    Dynamic,
    UnknownMachine(u16),
}

// === impl Binary ===

impl Binary {
    /// Reads the file that `--agent-binary` names, else this very program.
    ///
    /// # Errors
    /// When it cannot be read, is no Linux program, or needs a dynamic loader that a foreign
    /// container does not have.
    pub fn load(named: Option<&Path>) -> Result<Self, ProbeError> {
        let path = match named {
            Some(path) => path.to_owned(),
            None => std::env::current_exe()
                .map_err(|error| unusable(Path::new("this program"), &error.to_string()))?,
        };
        let bytes = std::fs::read(&path).map_err(|error| unusable(&path, &error.to_string()))?;
        match machine(&bytes) {
            Ok(arch) => Ok(Self {
                path,
                bytes: std::sync::Arc::new(bytes),
                arch,
            }),
            Err(unfit) => Err(unusable(&path, &unfit.to_string())),
        }
    }

    /// Refuses a node of another system or architecture.
    ///
    /// # Errors
    /// When the node's are known and differ.
    pub fn fits(&self, system: &str, arch: &str) -> Result<(), ProbeError> {
        let is = |known: &str, own: &str| known.is_empty() || known == own;
        if is(system, "linux") && is(arch, self.arch) {
            return Ok(());
        }
        let why = format!(
            "it is built for linux/{}, the node is {system}/{arch}",
            self.arch
        );
        Err(unusable(&self.path, &why))
    }
}

fn unusable(path: &Path, why: &str) -> ProbeError {
    ProbeError::Binary {
        why: format!("{} cannot be uploaded as the probe: {why}", path.display()),
        hint: "build a static one (RUSTFLAGS='-C target-feature=+crt-static' cargo build --release \
               --target x86_64-unknown-linux-gnu) and name it with --agent-binary, use --agent-image, \
               or --no-probe"
            .to_owned(),
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
            Self::NotLinux => f.write_str("it is no 64-bit Linux program"),
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
