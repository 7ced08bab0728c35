//! A world of IPv4 alone made one of both families.

use serde_json::{Value, json};

/// Gives every node, the ranges of Services and every Service that has an address of its own to get
/// an IPv6 part, where there is none.
pub fn dual_stack(objects: &mut [Value]) {
    let mut nodes = 0;
    for object in objects {
        match object["kind"].as_str().unwrap_or_default() {
            "Node" => {
                nodes += 1;
                node(object, nodes);
            }
            "ServiceCIDR" => add(&mut object["spec"]["cidrs"], json!("fd10:96::/112")),
            "Service" => service(&mut object["spec"]),
            _ => {}
        }
    }
}

fn node(node: &mut Value, number: usize) {
    add(
        &mut node["spec"]["podCIDRs"],
        json!(format!("fd10:244:{number}::/64")),
    );
    let addresses = &mut node["status"]["addresses"];
    let first = addresses[0]["address"].as_str().unwrap_or_default();
    let last = first.rsplit('.').next().unwrap_or_default().to_owned();
    add(
        addresses,
        json!({"type": "InternalIP", "address": format!("fd10:30::{last}")}),
    );
}

fn service(spec: &mut Value) {
    let given = spec["clusterIP"].as_str().is_some_and(|one| one != "None");
    if !given && spec["ipFamilyPolicy"].is_null() && !spec["selector"].is_null() {
        spec["ipFamilyPolicy"] = json!("PreferDualStack");
    }
}

/// Appends to a list that has nothing of IPv6 yet.
fn add(list: &mut Value, item: Value) {
    if let Some(items) = list.as_array_mut()
        && !items.iter().any(|one| one.to_string().contains("::"))
    {
        items.push(item);
    }
}
