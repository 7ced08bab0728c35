//! Who asks: the token that a kubeconfig's user has, or gets from a command.

use std::fs;
use std::process::{Command, id};

use super::stub::Stub;
use super::world::shop;

/// The `Authorization` that a user of a kubeconfig sends.
fn sent(name: &str, user: &str) -> String {
    let stub = Stub::of(shop());
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: c, cluster: {{server: {:?}}}}}]\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         users: [{{name: u, user: {user}}}]\n",
        stub.url
    );
    let file = std::env::temp_dir().join(format!("netpath-{name}-{}", id()));
    fs::write(&file, text).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
        .args(["pod/client-1", "svc/api", "-n", "shop", "--no-probe"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("KUBECONFIG", &file)
        .output()
        .expect("the program runs");
    fs::remove_file(&file).expect("it was written");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{user}: {stderr}");
    let asked = stub.asked();
    let first = asked.first().expect("a request").authorization.clone();
    assert!(asked.iter().all(|asked| asked.authorization == first));
    first
}

#[test]
fn a_token_stands_in_the_file_or_comes_from_a_command() {
    assert_eq!(sent("none", "{}"), "");
    assert_eq!(sent("token", "{token: t0}"), "Bearer t0");
    let credential = r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"t1"}}"#;
    let exec = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: echo, \
         args: ['{credential}'], interactiveMode: Never}}}}"
    );
    assert_eq!(sent("exec", &exec), "Bearer t1");
}

/// The old plugin of Google's clusters, whose command says more than the token.
#[test]
fn a_token_is_found_where_the_configuration_says() {
    let answer = r#"{"credential":{"access_token":"t2","token_expiry":"2999-01-01T00:00:00Z"}}"#;
    let gcp = format!(
        "{{auth-provider: {{name: gcp, config: {{cmd-path: echo, cmd-args: '{answer}', \
         token-key: '{{.credential.access_token}}', expiry-key: '{{.credential.token_expiry}}'}}}}}}"
    );
    assert_eq!(sent("gcp", &gcp), "Bearer t2");
}
