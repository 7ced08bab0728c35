//! That a Secret is there, and in which form: never what it holds.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

use super::named;

/// A Secret of a file that was handed over. A cluster is never asked for its Secrets; in a file of
/// manifests they may stand, and the values are dropped while it is read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "Object")]
pub struct SecretForm {
    pub metadata: ObjectMeta,
    /// Whether it holds a certificate and a key in PEM form (`kubernetes.io/tls`).
    pub is_key_pair: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Object {
    metadata: ObjectMeta,
    data: Values,
    string_data: Values,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Values {
    #[serde(rename = "tls.crt")]
    certificate: Option<String>,
    #[serde(rename = "tls.key")]
    key: Option<String>,
    /// The forms of Secrets that Istio reads beside the usual one.
    cert: Option<String>,
    #[serde(rename = "key")]
    other_key: Option<String>,
}

named!(SecretForm);

// === impl SecretForm ===

impl From<Object> for SecretForm {
    fn from(object: Object) -> Self {
        let Object {
            metadata,
            data,
            string_data,
        } = object;
        let encoded = |value: &Option<String>| {
            let bytes = value.as_ref()?.split_whitespace().collect::<String>();
            let bytes = data_encoding::BASE64.decode(bytes.as_bytes()).ok()?;
            String::from_utf8(bytes).ok()
        };
        let certificate = encoded(&data.certificate)
            .or_else(|| encoded(&data.cert))
            .or(string_data.certificate)
            .or(string_data.cert);
        let has_key = data.key.is_some()
            || data.other_key.is_some()
            || string_data.key.is_some()
            || string_data.other_key.is_some();
        Self {
            metadata,
            is_key_pair: has_key && certificate.is_some_and(|text| is_certificate(&text)),
        }
    }
}

/// Whether a text holds a certificate in PEM form (RFC 7468).
fn is_certificate(text: &str) -> bool {
    text.contains("-----BEGIN CERTIFICATE-----")
}
