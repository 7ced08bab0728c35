//! What a test can break in the API server, and that it is broken then.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use super::client::Client;
use netpath_lab::api::Fault;
use netpath_lab::control::Request;
use netpath_lab::{Lab, Options};

const PODS: &str = "/api/v1/namespaces/shop/pods";

#[test]
fn the_api_server_can_be_broken() {
    let Some(lab) = Lab::start_or_skip(&Options::default()) else {
        return;
    };
    super::runtime().block_on(async {
        faults(&lab).await.expect("faults");
        forgetting(&lab).await.expect("forgetting");
    });
}

async fn faults(lab: &Lab) -> Result<()> {
    let client = Client::of(lab, true)?;
    let once = |fault: Fault| {
        let fault = Fault {
            path: "/pods".to_owned(),
            times: Some(1),
            ..fault
        };
        lab.ask(&Request::Fault { fault })
    };
    once(Fault {
        status: Some(429),
        retry_after: Some(7),
        ..Fault::default()
    })?;
    assert_eq!(
        client.get("/api/v1/namespaces").await?.status,
        200,
        "another path"
    );
    let busy = client.get(PODS).await?;
    assert_eq!((busy.status, busy.header("retry-after")), (429, Some("7")));
    assert_eq!(busy.json()?["reason"], "TooManyRequests");
    assert_eq!(client.get(PODS).await?.status, 200, "only once");

    once(Fault {
        status: Some(500),
        ..Fault::default()
    })?;
    assert_eq!(client.get(PODS).await?.json()?["reason"], "InternalError");

    once(Fault {
        delay_ms: 300,
        ..Fault::default()
    })?;
    let since = Instant::now();
    assert_eq!(client.get(PODS).await?.status, 200);
    assert!(
        since.elapsed() >= Duration::from_millis(300),
        "{:?}",
        since.elapsed()
    );

    once(Fault {
        cut_after: Some(0),
        ..Fault::default()
    })?;
    assert!(client.get(PODS).await.is_err(), "no answer at all");
    once(Fault {
        cut_after: Some(100),
        ..Fault::default()
    })?;
    let half = client.get(PODS).await?;
    assert!(half.cut && half.body.len() <= 100, "{half:?}");

    lab.ask(&Request::Fault {
        fault: Fault {
            status: Some(503),
            ..Fault::default()
        },
    })?;
    assert_eq!(client.get("/version").await?.status, 503);
    lab.ask(&Request::NoFaults)?;
    assert_eq!(client.get("/version").await?.status, 200);
    Ok(())
}

/// Pages show the list as it was when the first was asked for, until the past is forgotten.
async fn forgetting(lab: &Lab) -> Result<()> {
    let client = Client::of(lab, true)?;
    let first = client.get(&format!("{PODS}?limit=1")).await?.json()?;
    let token = first["metadata"]["continue"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let map = json!({"metadata": {"name": "z"}});
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let gone = client
        .send(
            "DELETE",
            &format!("{PODS}/client-2"),
            &headers,
            &json!({"gracePeriodSeconds": 0}),
        )
        .await?;
    assert_eq!(gone.status, 200);
    let made = client
        .send("POST", "/api/v1/namespaces/shop/configmaps", &headers, &map)
        .await?;
    assert_eq!(made.status, 201);

    let rest = client
        .get(&format!("{PODS}?continue={token}"))
        .await?
        .json()?;
    assert!(
        rest["items"].to_string().contains("\"client-2\""),
        "as it was"
    );
    assert_eq!(
        rest["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
    let now = client.get(PODS).await?.json()?;
    assert!(
        !now["items"].to_string().contains("\"client-2\""),
        "as it is"
    );

    lab.ask(&Request::Compact)?;
    let expired = client.get(&format!("{PODS}?continue={token}")).await?;
    assert_eq!(
        (expired.status, expired.json()?["reason"].as_str()),
        (410, Some("Expired"))
    );
    let revision = first["metadata"]["resourceVersion"]
        .as_str()
        .unwrap_or_default();
    let watch = client
        .get(&format!("{PODS}?watch=1&resourceVersion={revision}"))
        .await?
        .json()?;
    assert_eq!(
        (&watch["type"], &watch["object"]["code"]),
        (&json!("ERROR"), &json!(410))
    );
    Ok(())
}
