//! `sysctl -a`: kernel settings by name.

use std::collections::BTreeMap;

/// Settings by dotted name. A name with a dot inside an interface (`eth0.100`) is printed with a
/// slash by `sysctl` and kept as printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sysctls {
    by_name: BTreeMap<String, String>,
}

// === impl Sysctls ===

impl Sysctls {
    /// Reads lines `name = value`; other lines (warnings, permission errors) are passed over.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            let name = name.trim();
            let plausible = !name.is_empty() && !name.contains(char::is_whitespace);
            plausible.then(|| (name.to_owned(), value.trim().to_owned()))
        });
        Self {
            by_name: pairs.collect(),
        }
    }

    /// The value as printed.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.by_name.get(name).map(String::as_str)
    }

    /// The value as a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    /// A setting that exists for an interface, such as `net.ipv4.conf.INTERFACE.rp_filter`.
    #[must_use]
    pub fn of_interface(&self, stem: &str, interface: &str, leaf: &str) -> Option<i64> {
        let slashed = interface.replace('.', "/");
        self.number(&format!("{stem}.{interface}.{leaf}"))
            .or_else(|| self.number(&format!("{stem}.{slashed}.{leaf}")))
    }

    /// Whether nothing was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pairs_and_passes_over_the_rest() {
        let text = "sysctl: permission denied on key 'x'\nnet.ipv4.ip_forward = 1\n\
            net.ipv4.conf.eth0/5.rp_filter=2\nnet.ipv4.ip_local_port_range = 32768\t60999\n";
        let sysctls = Sysctls::read(text);
        assert_eq!(sysctls.number("net.ipv4.ip_forward"), Some(1));
        assert_eq!(
            sysctls.of_interface("net.ipv4.conf", "eth0.5", "rp_filter"),
            Some(2)
        );
        assert_eq!(
            sysctls.get("net.ipv4.ip_local_port_range"),
            Some("32768\t60999")
        );
        assert_eq!(sysctls.number("net.ipv4.ip_local_port_range"), None);
    }
}
