//! A server that cannot be asked: one clear message, exit code 2, nothing on stdout.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rcgen::generate_simple_self_signed;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::ask;
use super::stub::{Asked, Manner, Stub};
use super::world::shop;

const QUESTION: [&str; 5] = ["pod/client-1", "svc/api", "-n", "shop", "--no-probe"];

fn refuses(server: &str, flags: &[&str], words: &[&str]) {
    let question = [&QUESTION, flags].concat();
    let said = ask(server, &question);
    assert_eq!(said.code, 2, "{words:?}: {}", said.stderr);
    assert_eq!(said.stdout, "", "{words:?}");
    let mut lines = said.stderr.lines();
    let error = lines.next().unwrap_or_default();
    assert!(error.starts_with("error: "), "{}", said.stderr);
    for word in words {
        assert!(said.stderr.contains(word), "{word}: {}", said.stderr);
    }
    assert!(
        said.stderr.lines().count() <= 2,
        "one message: {}",
        said.stderr
    );
}

#[test]
fn nobody_listens() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let url = format!("http://{}", closed.local_addr().expect("an address"));
    drop(closed);
    refuses(
        &url,
        &[],
        &["cannot reach the API server", "refused", "hint: "],
    );
}

#[test]
fn no_cluster_is_configured() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
        .args(QUESTION)
        .env_clear()
        .env("KUBECONFIG", "/nonexistent")
        .output()
        .expect("the program runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains("kubeconfig") && stderr.contains("--snapshot"),
        "{stderr}"
    );
}

#[test]
fn a_missing_file_of_a_list_is_passed_over() {
    let stub = Stub::of(shop());
    let file = std::env::temp_dir().join(format!("netpath-list-{}", std::process::id()));
    let cluster = format!("{{name: c, cluster: {{server: {:?}}}}}", stub.url);
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{cluster}]\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {{}}}}]\n"
    );
    std::fs::write(&file, text).expect("a file");
    let list = std::env::join_paths(["/nonexistent".as_ref(), file.as_path()]).expect("a list");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
        .args(QUESTION)
        .env_clear()
        .env("KUBECONFIG", list)
        .output()
        .expect("the program runs");
    std::fs::remove_file(&file).expect("our own file");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
}

#[test]
fn a_context_that_does_not_exist() {
    let folder = std::env::temp_dir().join(format!("netpath-context-{}", std::process::id()));
    std::fs::write(
        &folder,
        "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\n",
    )
    .expect("a file");
    let said = std::process::Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
        .args(QUESTION)
        .args(["--context", "prod"])
        .env_clear()
        .env("KUBECONFIG", &folder)
        .output()
        .expect("the program runs");
    let _ = std::fs::remove_file(&folder);
    let stderr = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("prod"), "{stderr}");
}

#[test]
fn an_expired_token() {
    let stub = Stub::that(shop(), |_| Manner::Refuse(401));
    refuses(
        &stub.url,
        &["--token", "old"],
        &["does not accept these credentials", "log in again"],
    );
}

#[test]
fn a_server_that_never_answers() {
    let stub = Stub::that(shop(), |_| Manner::Silence);
    refuses(
        &stub.url,
        &["--request-timeout", "1s"],
        &["cannot reach the API server"],
    );
}

#[test]
fn answers_that_are_no_json() {
    let stub = Stub::that(shop(), |_| Manner::Garbage);
    refuses(&stub.url, &[], &["not JSON"]);
}

#[test]
fn a_connection_that_is_cut_off() {
    let stub = Stub::that(shop(), |_| Manner::CutOff);
    refuses(&stub.url, &[], &["cannot reach the API server"]);
}

#[test]
fn a_server_that_is_ill() {
    let stub = Stub::that(shop(), |_| Manner::Refuse(500));
    refuses(&stub.url, &[], &["500", "no leader"]);
}

#[test]
fn a_certificate_of_an_unknown_authority() {
    let made = generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a server");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let listener = runtime
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .expect("loopback");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    runtime.spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            // The client refuses; that is the test.
            let _ = acceptor.accept(stream).await;
        }
    });
    refuses(&url, &[], &["certificate"]);
}

#[test]
fn an_interrupt_tidies_up_and_says_so() {
    // The reading is answered; the first question of probing is not, so that it is under way.
    let is_first_of_probing = |asked: &Asked| asked.url.contains("selfsubjectaccessreviews");
    let stub = Stub::that(shop(), move |asked| {
        if is_first_of_probing(asked) {
            Manner::Silence
        } else {
            Manner::Plain
        }
    });
    for signal in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        let before = stub.asked().len();
        let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
            .args(["pod/client-1", "svc/api", "-n", "shop"])
            .args(["--server", &stub.url, "--agent-image", "probe"])
            .env_clear()
            .env("KUBECONFIG", "/nonexistent")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        while !stub.asked()[before..].iter().any(is_first_of_probing) {
            let ended = program.try_wait().expect("a status");
            assert_eq!(ended, None, "it ends before it probes");
            std::thread::sleep(Duration::from_millis(10));
        }
        let id = i32::try_from(program.id()).expect("a process");
        kill(Pid::from_raw(id), signal).expect("it runs");
        let output = program.wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{signal}: {stderr}");
        assert!(output.stdout.is_empty(), "no report: {signal}");
    }
}
