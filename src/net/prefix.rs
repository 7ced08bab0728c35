//! Address prefixes as the API and the kernel tools write them.

use std::net::IpAddr;

use ipnet::IpNet;

/// Text that is neither an address nor `ADDRESS/LENGTH`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address or a CIDR")]
pub struct BadPrefix(pub String);

/// Reads `10.0.0.0/8`, `fd00::/8` or a bare address (a prefix of one); host bits are cleared, as
/// the kernel does when a rule is loaded.
///
/// # Errors
/// When the text is neither.
pub fn parse_prefix(text: &str) -> Result<IpNet, BadPrefix> {
    let text = text.trim();
    text.parse::<IpNet>()
        .map(|net| net.trunc())
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| BadPrefix(text.to_owned()))
}
