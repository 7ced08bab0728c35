//! The certificate a server shows: whose it is, and for how long.

use std::net::{Ipv4Addr, Ipv6Addr};

use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// What a person wants to know of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The subject (`CN=web`), then its alternative names.
    pub(super) names: Vec<String>,
    /// RFC 3339.
    pub(super) not_before: String,
    pub(super) not_after: String,
    pub(super) issuer: String,
}

// === impl Leaf ===

impl Leaf {
    /// Reads DER (RFC 5280).
    ///
    /// # Errors
    /// When the bytes are no certificate, in words.
    pub(super) fn read(der: &[u8]) -> Result<Self, String> {
        let certificate = Certificate::from_der(der)
            .map_err(|error| format!("the certificate cannot be read: {error}"))?;
        let body = certificate.tbs_certificate();
        let subject = body.subject().to_string();
        let alternatives = body.get_extension::<SubjectAltName>().ok().flatten();
        let alternatives = alternatives.map(|(_, names)| names.0).unwrap_or_default();
        let validity = body.validity();
        Ok(Self {
            names: Some(subject)
                .filter(|subject| !subject.is_empty())
                .into_iter()
                .chain(alternatives.iter().filter_map(name))
                .collect(),
            not_before: validity.not_before.to_date_time().to_string(),
            not_after: validity.not_after.to_date_time().to_string(),
            issuer: body.issuer().to_string(),
        })
    }
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        // Meshes name workloads so (spiffe://…).
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
        GeneralName::IpAddress(bytes) => {
            let bytes = bytes.as_bytes();
            let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| Ipv4Addr::from(bytes).to_string());
            let v6 = || <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).to_string());
            v4.or_else(|_| v6()).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};

    use super::*;

    #[test]
    fn reads_names_and_dates() {
        let mut params = CertificateParams::new(vec!["web.shop.svc".to_owned()]).unwrap();
        let address = SanType::IpAddress("fd00::1".parse().unwrap());
        let uri = SanType::URI("spiffe://cluster.local/ns/a/sa/b".try_into().unwrap());
        params.subject_alt_names.extend([address, uri]);
        params.distinguished_name.push(DnType::CommonName, "web");
        params.not_before = date_time_ymd(2020, 1, 2);
        params.not_after = date_time_ymd(2060, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let leaf = Leaf::read(certificate.der()).unwrap();
        let names = [
            "web.shop.svc",
            "fd00::1",
            "spiffe://cluster.local/ns/a/sa/b",
        ];
        assert!(leaf.names[0].contains("CN=web"), "{:?}", leaf.names);
        assert_eq!(leaf.names[1..], names);
        assert_eq!(leaf.not_before, "2020-01-02T00:00:00Z");
        assert_eq!(leaf.not_after, "2060-12-31T00:00:00Z");
        assert_eq!(leaf.issuer, leaf.names[0]);
        assert!(Leaf::read(&certificate.der()[1..]).is_err());
    }
}
