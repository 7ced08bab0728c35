//! An image that holds the agent and nothing else, as an OCI archive for `ctr`, `kind` or `crane`.
//!
//! ```text
//!  tar: oci-layout · index.json ─► index ─► a manifest per platform ─► config
//!                                                                  └─► layer: a tar with one program
//! ```
//!
//! Image layout of the OCI image specification 1.1; the same program makes the same archive.

use std::io::{self, Write};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::binary::Binary;

const PROGRAM: &str = "netpath-agent";
const BLOCK: usize = 512;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Writes the image under a name (`registry/netpath:0.1.0`), with a manifest for every agent's platform.
///
/// # Errors
/// When the archive cannot be written.
pub fn write(agents: &[Binary], name: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut blobs = Vec::new();
    let mut manifests = Vec::new();
    for agent in agents {
        manifests.push(platform(agent, &mut blobs)?);
    }
    let index = Blob::json(&json!({
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": manifests,
    }));
    let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    let mut named = index.described(INDEX);
    named["annotations"] = json!({
        "org.opencontainers.image.ref.name": tag,
        "io.containerd.image.name": name,
    });
    blobs.push(index);
    let top = json!({"schemaVersion": 2, "manifests": [named]});
    let layout = json!({"imageLayoutVersion": "1.0.0"});
    file(out, "oci-layout", 0o644, layout.to_string().as_bytes())?;
    file(out, "index.json", 0o644, top.to_string().as_bytes())?;
    for blob in &blobs {
        let path = format!("blobs/sha256/{}", blob.hash);
        file(out, &path, 0o644, &blob.bytes)?;
    }
    end(out)
}

/// The image of one platform: its blobs, and the descriptor of its manifest.
fn platform(agent: &Binary, blobs: &mut Vec<Blob>) -> io::Result<Value> {
    let mut layer = Vec::new();
    file(&mut layer, PROGRAM, 0o755, &agent.bytes)?;
    end(&mut layer)?;
    let layer = Blob::of(layer);
    let config = Blob::json(&json!({
        "architecture": agent.arch,
        "os": "linux",
        "config": {
            "Entrypoint": [format!("/{PROGRAM}")],
            "User": "65534:65534",
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.digest()]},
    }));
    let manifest = Blob::json(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.described("application/vnd.oci.image.config.v1+json"),
        "layers": [layer.described("application/vnd.oci.image.layer.v1.tar")],
    }));
    let mut descriptor = manifest.described(MANIFEST);
    descriptor["platform"] = json!({"os": "linux", "architecture": agent.arch});
    blobs.extend([manifest, config, layer]);
    Ok(descriptor)
}

/// Content by its hash.
struct Blob {
    bytes: Vec<u8>,
    hash: String,
}

// === impl Blob ===

impl Blob {
    fn of(bytes: Vec<u8>) -> Self {
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(&bytes));
        Self { bytes, hash }
    }

    fn json(value: &Value) -> Self {
        Self::of(value.to_string().into_bytes())
    }

    fn digest(&self) -> String {
        format!("sha256:{}", self.hash)
    }

    fn described(&self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": self.digest(), "size": self.bytes.len()})
    }
}

/// One file of a tar archive (POSIX ustar), owned by root and of no age.
fn file(out: &mut dyn Write, path: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let mut header = [0; BLOCK];
    let mut set = |at: usize, text: &str| {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    };
    set(0, path);
    set(100, &format!("{mode:07o}"));
    set(108, "0000000");
    set(116, "0000000");
    set(124, &format!("{:011o}", bytes.len()));
    set(136, "00000000000");
    // The checksum is summed up over itself as spaces.
    set(148, "        ");
    set(156, "0");
    set(257, "ustar\0");
    set(263, "00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out.write_all(&header)?;
    out.write_all(bytes)?;
    let padding = bytes.len().next_multiple_of(BLOCK) - bytes.len();
    out.write_all(&[0; BLOCK][..padding])
}

/// Two empty blocks end an archive.
fn end(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Vec<u8> {
        let agents = ["amd64", "arm64"].map(|arch| Binary {
            origin: "x".to_owned(),
            bytes: arch.as_bytes().into(),
            arch,
        });
        let mut archive = Vec::new();
        write(&agents, "example.com/netpath:1", &mut archive).unwrap();
        archive
    }

    /// The files of an archive, read by the rules of the format.
    fn files(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut rest = archive;
        while let Some((header, behind)) = rest.split_at_checked(BLOCK) {
            let text = |from: usize, to: usize| {
                let field = String::from_utf8_lossy(&header[from..to]);
                field.trim_end_matches(['\0', ' ']).to_owned()
            };
            if text(0, 100).is_empty() {
                break;
            }
            let size = usize::from_str_radix(&text(124, 136), 8).unwrap();
            let mut blank = header.to_vec();
            blank[148..156].fill(b' ');
            let sum: u32 = blank.iter().map(|byte| u32::from(*byte)).sum();
            assert_eq!(u32::from_str_radix(&text(148, 154), 8), Ok(sum));
            files.push((text(0, 100), behind[..size].to_vec()));
            rest = &behind[size.next_multiple_of(BLOCK)..];
        }
        files
    }

    #[test]
    fn everything_is_found_by_its_hash() {
        let files = files(&image());
        let get = |name: &str| &files.iter().find(|(path, _)| path == name).unwrap().1;
        let follow = |descriptor: &Value| -> Vec<u8> {
            let digest = descriptor["digest"].as_str().unwrap();
            let bytes = get(&format!("blobs/{}", digest.replace(':', "/"))).clone();
            assert_eq!(descriptor["size"], json!(bytes.len()));
            assert_eq!(Blob::of(bytes.clone()).digest(), digest);
            bytes
        };
        let index: Value = serde_json::from_slice(get("index.json")).unwrap();
        let entry = &index["manifests"][0];
        assert_eq!(
            entry["annotations"]["io.containerd.image.name"],
            "example.com/netpath:1"
        );
        let index: Value = serde_json::from_slice(&follow(entry)).unwrap();
        for (at, arch) in ["amd64", "arm64"].into_iter().enumerate() {
            let platform = &index["manifests"][at];
            assert_eq!(platform["platform"]["architecture"], arch);
            let manifest: Value = serde_json::from_slice(&follow(platform)).unwrap();
            let layer = follow(&manifest["layers"][0]);
            assert_eq!(
                super::tests::files(&layer),
                [(PROGRAM.to_owned(), arch.as_bytes().to_vec())]
            );
            let config: Value = serde_json::from_slice(&follow(&manifest["config"])).unwrap();
            assert_eq!(config["architecture"], arch);
            assert_eq!(config["rootfs"]["diff_ids"][0], Blob::of(layer).digest());
        }
    }

    #[test]
    fn the_same_program_makes_the_same_archive() {
        assert_eq!(image(), image());
    }
}
