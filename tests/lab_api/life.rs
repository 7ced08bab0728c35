//! What people do with a cluster: write objects, run pods, be refused.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::client::{Answer, Client};
use crate::lab::{Lab, Options};

#[test]
fn objects_pods_and_rights() {
    let options = Options {
        scenario: Some(crate::support::project().join("tests/lab/scenarios/exchanges")),
        ..Options::default()
    };
    let Some(lab) = Lab::start_or_skip(&options) else {
        return;
    };
    super::runtime().block_on(async {
        let admin = Client::of(&lab, true).expect("a client");
        changing(&admin).await.expect("changing objects");
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
