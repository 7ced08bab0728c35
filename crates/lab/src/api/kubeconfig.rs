//! How kubectl finds the lab, and who it is there.

use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::Result;
use data_encoding::BASE64;
use serde_json::json;

use crate::launch::HOME;
use crate::world::World;

/// Writes the administrator's kubeconfig. A second user, `token`, has no certificate: for `--token`.
pub fn write(world: &World, address: SocketAddr) -> Result<()> {
    let (certificate, key) = world
        .authority
        .client("kubernetes-admin", &["system:masters"])?;
    let encode = |text: &str| BASE64.encode(text.as_bytes());
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": {"server": format!("https://{address}"),
            "certificate-authority-data": encode(world.authority.pem())}}],
        "users": [
            {"name": "admin", "user": {"client-certificate-data": encode(&certificate), "client-key-data": encode(&key)}},
            {"name": "token", "user": {}}],
        "contexts": [
            {"name": "lab", "context": {"cluster": "lab", "user": "admin"}},
            {"name": "token", "context": {"cluster": "lab", "user": "token"}}],
    });
    let mut file = std::fs::OpenOptions::new();
    let file = file.write(true).create(true).truncate(true).mode(0o600);
    let file = file.open(format!("{HOME}/kubeconfig"))?;
    Ok(serde_json::to_writer(file, &config)?)
}
