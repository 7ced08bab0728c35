//! Probing without a cluster: what is asked, and what is made of the answers.
//!
//! ```text
//!  world.yaml (a healthy shop) + faults/NAME/{observations,facts}.json ─► confirm ─► diagnose ─► expect.json
//! ```

mod faults;
mod rounds;

pub use faults::said;

use netpath::cluster::{Builder, ClusterView, Provenance, snapshot};
use netpath::target::Request;

/// The healthy shop, with further objects.
fn world(further: &str) -> ClusterView {
    let mut builder = Builder::default();
    builder.view().provenance = Provenance::Live;
    for text in [include_str!("world.yaml"), further] {
        for object in snapshot::objects(text).expect("YAML") {
            builder.add(object);
        }
    }
    builder.finish()
}

/// `pod/client-1 svc/web:81 --protocol udp`, in namespace shop.
fn request(words: &[String]) -> Request {
    let [source, destination, flags @ ..] = words else {
        panic!("two ends: {words:?}");
    };
    Request {
        source: source.parse().expect("a source"),
        destination: destination.parse().expect("a destination"),
        source_namespace: "shop".to_owned(),
        destination_namespace: "shop".to_owned(),
        protocol: match flags {
            [] => None,
            [flag, value] if flag == "--protocol" => Some(value.parse().expect("a protocol")),
            other => panic!("unknown flags {other:?}"),
        },
        http: netpath::target::HttpAsked::default(),
    }
}
