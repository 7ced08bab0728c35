//! What people do with a cluster: write objects, run pods, be refused.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::client::{Answer, Client};
use netpath_lab::{Lab, Options};

#[test]
fn objects_pods_and_rights() {
    let options = Options {
        scenario: Some(crate::support::project().join("crates/lab/scenarios/exchanges")),
        ..Options::default()
    };
    let Some(lab) = Lab::start_or_skip(&options) else {
        return;
    };
    super::runtime().block_on(async {
        let admin = Client::of(&lab, true).expect("a client");
        changing(&admin).await.expect("changing objects");
        defining(&admin)
            .await
            .expect("objects of kinds of one's own");
        running(&admin).await.expect("running pods");
        rights(&admin, &Client::of(&lab, false).expect("a client"))
            .await
            .expect("rights");
    });
}

async fn changing(admin: &Client) -> Result<()> {
    const API: &str = "/api/v1/namespaces/shop/services/api";
    let before = admin.get(API).await?.json()?;
    let patched = patch(
        admin,
        API,
        "strategic-merge-patch",
        json!({"spec": {"ports": [{"port": 8080, "targetPort": 1}]}}),
    )
    .await?;
    assert_eq!(
        patched["spec"]["ports"][0]["name"], "http",
        "merged by port"
    );
    let patched = patch(
        admin,
        API,
        "merge-patch",
        json!({"spec": {"selector": {"app": null, "tier": "x"}}}),
    )
    .await?;
    assert_eq!(patched["spec"]["selector"], json!({"tier": "x"}));
    let patched = patch(
        admin,
        API,
        "json-patch",
        json!([{"op": "replace", "path": "/spec/selector/tier", "value": "y"}]),
    )
    .await?;
    assert_eq!(patched["spec"]["selector"], json!({"tier": "y"}));
    assert_eq!(patched["spec"]["clusterIP"], before["spec"]["clusterIP"]);

    // Whoever writes what was read before loses.
    let late = send(admin, "PUT", API, &before).await?;
    assert_eq!(
        (late.status, late.json()?["reason"].as_str()),
        (409, Some("Conflict"))
    );
    let tried = send(admin, "PATCH", &format!("{API}?dryRun=All"), &json!({})).await?;
    assert_eq!(tried.status, 415, "a patch without a form");
    let strict = json!({"metadata": {"name": "odd"}, "spec": {"ports": [{"port": 1}], "selecter": {}, "typo": "x"}});
    let refused = send(
        admin,
        "POST",
        "/api/v1/namespaces/shop/services?fieldValidation=Strict",
        &strict,
    )
    .await?;
    assert!(
        refused.json()?["message"]
            .to_string()
            .contains("unknown field \\\"spec.typo\\\""),
        "{}",
        refused.json()?
    );
    let dry = send(
        admin,
        "POST",
        "/api/v1/namespaces/shop/services?dryRun=All",
        &strict,
    )
    .await?;
    assert_eq!(dry.status, 201);
    assert_eq!(
        admin
            .get("/api/v1/namespaces/shop/services/odd")
            .await?
            .status,
        404,
        "only tried"
    );
    Ok(())
}

/// Kinds that a CustomResourceDefinition adds are as good as any.
async fn defining(admin: &Client) -> Result<()> {
    const GROUP: &str = "/apis/shop.example/v1";
    const WIDGETS: &str = "/apis/shop.example/v1/namespaces/shop/widgets";
    assert_eq!(admin.get(GROUP).await?.status, 404, "not defined yet");
    let definition = json!({"metadata": {"name": "widgets.shop.example"}, "spec": {
        "group": "shop.example", "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [{"name": "v1", "served": true, "storage": true,
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let made = send(admin, "POST", definitions, &definition).await?;
    assert_eq!(made.status, 201, "{}", made.json()?);
    let known = admin.get(GROUP).await?.json()?;
    assert_eq!(known["resources"][0]["kind"], "Widget");
    for (name, size) in [("a", "big"), ("b", "small"), ("c", "big")] {
        let widget = json!({"apiVersion": "shop.example/v1", "kind": "Widget",
            "metadata": {"name": name, "labels": {"size": size}}, "spec": {"knobs": [1, 2]}});
        let made = send(admin, "POST", WIDGETS, &widget).await?;
        assert_eq!(made.status, 201, "{}", made.json()?);
    }
    let names = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().into_iter().flatten();
        items
            .filter_map(|item| Some(item["metadata"]["name"].as_str()?.to_owned()))
            .collect()
    };
    let big = admin
        .get(&format!("{WIDGETS}?labelSelector=size%20in%20(big)"))
        .await?
        .json()?;
    assert_eq!(
        (&big["kind"], names(&big)),
        (&json!("WidgetList"), vec!["a".to_owned(), "c".to_owned()])
    );
    let one = admin
        .get(&format!("{WIDGETS}?fieldSelector=metadata.name%3Db"))
        .await?
        .json()?;
    assert_eq!(names(&one), ["b"]);
    let page = admin.get(&format!("{WIDGETS}?limit=2")).await?.json()?;
    assert_eq!(
        (names(&page).len(), &page["metadata"]["remainingItemCount"]),
        (2, &json!(1))
    );
    let a = format!("{WIDGETS}/a");
    let patched = patch(admin, &a, "merge-patch", json!({"spec": {"knobs": [3]}})).await?;
    assert_eq!(patched["spec"]["knobs"], json!([3]));
    let add = json!([{"op": "add", "path": "/spec/knobs/-", "value": 4}]);
    let patched = patch(admin, &a, "json-patch", add).await?;
    assert_eq!(patched["spec"]["knobs"], json!([3, 4]));
    let headers = [(
        "content-type".to_owned(),
        "application/strategic-merge-patch+json".to_owned(),
    )];
    let strategic = admin
        .send("PATCH", &a, &headers, &json!({"spec": {}}))
        .await?;
    assert_eq!(
        strategic.status, 415,
        "nobody knows the merge keys of their lists"
    );
    assert_eq!(send(admin, "DELETE", &a, &json!({})).await?.status, 200);
    assert_eq!(admin.get(&a).await?.status, 404);
    Ok(())
}

async fn running(admin: &Client) -> Result<()> {
    let pod = json!({"metadata": {"name": "who"}, "spec": {"restartPolicy": "Never", "nodeName": "node1",
        "containers": [{"name": "c", "image": "docker.io/library/busybox:1.36",
            "command": ["sh", "-c", "id -u; grep -E 'CapEff|NoNewPrivs' /proc/self/status; cat /etc/resolv.conf; hostname"],
            "securityContext": {"runAsUser": 1234, "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]}});
    let pods = "/api/v1/namespaces/shop/pods";
    let made = send(admin, "POST", pods, &pod).await?;
    assert_eq!(made.status, 201, "{}", made.json()?);
    until(
        admin,
        &format!("{pods}?fieldSelector=metadata.name%3Dwho"),
        |pod| pod["status"]["phase"] == "Succeeded",
    )
    .await?;
    let log = admin.get(&format!("{pods}/who/log")).await?;
    let log = String::from_utf8_lossy(&log.body).into_owned();
    let words: Vec<&str> = log.split_whitespace().collect();
    assert_eq!(words.first(), Some(&"1234"), "{log}");
    assert_eq!(words.last(), Some(&"who"), "{log}");
    for wanted in [
        "NoNewPrivs:\t1",
        "CapEff:\t0000000000000000",
        "search shop.svc.cluster.local",
    ] {
        assert!(log.contains(wanted), "{wanted:?} is not in\n{log}");
    }
    let tail = admin.get(&format!("{pods}/who/log?tailLines=1")).await?;
    assert_eq!(tail.body, b"who\n");

    let warned = json!({"metadata": {"name": "warned", "labels": {"pod-security.kubernetes.io/warn": "baseline"}}});
    assert_eq!(
        send(admin, "POST", "/api/v1/namespaces", &warned)
            .await?
            .status,
        201
    );
    let host = json!({"metadata": {"name": "host"}, "spec": {"hostNetwork": true, "containers": [{"name": "c", "image": "busybox:1"}]}});
    let answer = send(
        admin,
        "POST",
        "/api/v1/namespaces/warned/pods?dryRun=All",
        &host,
    )
    .await?;
    let warning = answer.header("warning").unwrap_or_default();
    assert!(
        warning.contains("would violate PodSecurity") && warning.contains("hostNetwork=true"),
        "{warning}"
    );
    Ok(())
}

async fn rights(admin: &Client, plain: &Client) -> Result<()> {
    let group = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop";
    let role = json!({"metadata": {"name": "one-pod"}, "rules": [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceNames": ["client-1"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}]});
    let binding = json!({"metadata": {"name": "one-pod"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "one-pod"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "shop"}]});
    for (path, object) in [("roles", role), ("rolebindings", binding)] {
        let made = send(admin, "POST", &format!("{group}/{path}"), &object).await?;
        assert_eq!(made.status, 201, "{}", made.json()?);
    }
    let token = send(
        admin,
        "POST",
        "/api/v1/namespaces/shop/serviceaccounts/default/token",
        &json!({}),
    )
    .await?;
    let token = token.json()?["status"]["token"]
        .as_str()
        .context("a token")?
        .to_owned();
    let bearer = [("authorization".to_owned(), format!("Bearer {token}"))];
    for (method, path, status) in [
        ("GET", "/api/v1/namespaces/shop/pods/client-1", 200),
        ("GET", "/api/v1/namespaces/shop/pods/client-2", 403),
        ("GET", "/api/v1/namespaces/shop/pods", 403),
        ("GET", "/api/v1/namespaces/shop/pods/client-2/log", 200),
        (
            "GET",
            "/api/v1/namespaces/shop/pods/client-1/exec?command=id&stdout=1",
            403,
        ),
        ("GET", "/api/v1/namespaces/data/pods/db-0", 403),
        ("GET", "/apis", 200),
        ("GET", "/metrics", 403),
        ("DELETE", "/api/v1/namespaces/shop/pods/client-1", 403),
    ] {
        let answer = plain.send(method, path, &bearer, &Value::Null).await?;
        assert_eq!(
            answer.status,
            status,
            "{method} {path}: {}",
            String::from_utf8_lossy(&answer.body)
        );
    }
    // Without rights of its own nobody is somebody else.
    let mut posing = bearer.to_vec();
    posing.push(("impersonate-user".to_owned(), "kubernetes-admin".to_owned()));
    let answer = plain.send("GET", "/apis", &posing, &Value::Null).await?;
    assert!(
        answer.json()?["message"]
            .to_string()
            .contains("cannot impersonate resource \\\"users\\\""),
        "{}",
        answer.json()?
    );
    Ok(())
}

async fn patch(client: &Client, path: &str, form: &str, body: Value) -> Result<Value> {
    let headers = [(
        "content-type".to_owned(),
        format!("application/{form}+json"),
    )];
    let answer = client.send("PATCH", path, &headers, &body).await?;
    anyhow::ensure!(answer.status == 200, "{}", answer.json()?);
    answer.json()
}

async fn send(client: &Client, method: &str, path: &str, body: &Value) -> Result<Answer> {
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    client.send(method, path, &headers, body).await
}

/// Watches until something is true of what a list holds.
async fn until(client: &Client, list: &str, holds: impl Fn(&Value) -> bool) -> Result<()> {
    for _ in 0..50 {
        let now = client.get(list).await?.json()?;
        if now["items"]
            .as_array()
            .is_some_and(|items| items.iter().any(&holds))
        {
            return Ok(());
        }
        let revision = now["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default();
        client
            .get(&format!(
                "{list}&watch=1&timeoutSeconds=1&resourceVersion={revision}"
            ))
            .await?;
    }
    anyhow::bail!("{list} never came to it")
}
