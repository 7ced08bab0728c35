//! The facts of the network namespace the agent is in.

use serde_json::Value;

use super::links::Links;
use super::post::{Post, file};
use super::routes::routes_json;
use super::sockets;
use netpath_protocol::Family;

/// Gathers them all.
pub(super) fn gather(post: &Post) {
    post.send("resolv.conf", file("/etc/resolv.conf"));
    post.send("sockets.txt", sockets::listening());
    let links = Links::read();
    let addresses = links.as_ref().map(Links::addresses_json);
    post.send("ip-addr.json", addresses.map_err(Clone::clone));
    let routes = links.and_then(|links| routes(&links));
    post.send("ip-route.json", routes);
}

/// Both families in one, as `ip -j route show table all` prints them.
fn routes(links: &Links) -> Result<String, String> {
    let names = links.names();
    let mut all = Vec::new();
    for family in Family::ALL {
        all.extend(routes_json(family, &names)?);
    }
    Ok(Value::Array(all).to_string())
}
