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
    let bad = || BadPrefix(text.to_owned());
    if let Ok(net) = text.parse::<IpNet>() {
        return Ok(net.trunc());
    }
    let Some((address, length)) = text.split_once('/') else {
        return parse_address(text).map(IpNet::from).ok_or_else(bad);
    };
    let address = parse_address(address).ok_or_else(bad)?;
    let length = length.parse().map_err(|_| bad())?;
    let net = IpNet::new(address, length).map_err(|_| bad())?;
    Ok(net.trunc())
}

/// Reads an address as Kubernetes does: leading zeros in IPv4 (`172.030.0.1`) are decimal and
/// accepted (KEP-4858 keeps them for old objects).
#[must_use]
pub fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let mut octets = [0u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        *octet = part.parse().ok().filter(|_| is_number)?;
    }
    parts.next().is_none().then(|| IpAddr::from(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_are_decimal() {
        for (text, expected) in [
            ("203.0.113.000/025", Some("203.0.113.0/25")),
            (" 1.2.3.4/28", Some("1.2.3.0/28")),
            ("172.030.0.41", Some("172.30.0.41/32")),
            ("fd00::1", Some("fd00::1/128")),
            ("1.2.3", None),
            ("1.2.3.4.5", None),
            ("1.2.3.+4", None),
            ("1.2.3.400", None),
            ("1.2.3.4/33", None),
        ] {
            let found = parse_prefix(text).ok().map(|net| net.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
