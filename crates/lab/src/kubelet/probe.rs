//! Readiness probes, asked inside the pod's own network: what a test breaks between node and pod
//! must stay visible as broken, not turn into a pod that is not ready some seconds later.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::pod::PodRun;
use crate::runtime::{self, Command, Stdio};
use crate::world::World;

/// How often a container is asked at first, and after what it serves was changed.
const EAGER: Duration = Duration::from_millis(100);
/// How many times.
const EAGER_TIMES: u32 = 20;

/// Starts a task for every container with a readiness probe.
pub fn start_all(world: &Arc<World>, run: &Arc<PodRun>) {
    for container in run.pod.spec.iter().flat_map(|spec| &spec.containers) {
        if let Some(probe) = container.readiness_probe.clone() {
            let (world, run, container) = (world.clone(), run.clone(), container.clone());
            let keeper = run.clone();
            keeper.undecided.fetch_add(1, Ordering::SeqCst);
            keeper.keep(
                world
                    .runtime
                    .clone()
                    .spawn(async move { ask(world, run, container, probe).await }),
            );
        }
    }
}

/// Asks until the pod ends.
async fn ask(world: Arc<World>, run: Arc<PodRun>, container: Container, probe: Probe) {
    let seconds = |value: Option<i32>, default: u64| {
        value
            .and_then(|value| u64::try_from(value).ok())
            .unwrap_or(default)
    };
    let period = Duration::from_secs(seconds(probe.period_seconds, 10).max(1));
    let patience = seconds(probe.failure_threshold, 3).max(1);
    let (mut failures, mut asked, mut decided) = (0, 0, false);
    let mut stirred = run.stirred.subscribe();
    loop {
        let started = run
            .seen
            .lock()
            .iter()
            .any(|one| one.name == container.name && one.state.is_running());
        let (asked_run, asked_container, asked_probe) =
            (run.clone(), container.clone(), probe.clone());
        let asked_world = world.clone();
        let answer = tokio::task::spawn_blocking(move || {
            once(&asked_world, &asked_run, &asked_container, &asked_probe)
        });
        let good = started && answer.await.unwrap_or(false);
        failures = if good { 0 } else { failures + 1 };
        asked += 1;
        let ready = run
            .seen
            .lock()
            .iter()
            .any(|one| one.name == container.name && one.ready);
        if good && !ready {
            run.change(&world, &container.name, |seen| seen.ready = true);
        } else if !good && ready && failures >= patience {
            run.change(&world, &container.name, |seen| seen.ready = false);
        }
        if failures == patience {
            run.note(&world, "Unhealthy", "Readiness probe failed");
        }
        let doubt = if ready {
            failures < patience
        } else {
            asked < EAGER_TIMES
        };
        let eager = !decided && !good && doubt;
        if !eager && !decided {
            decided = true;
            run.undecided.fetch_sub(1, Ordering::SeqCst);
        }
        let pause = if eager { EAGER } else { period };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            Ok(()) = stirred.changed(), if decided => {
                (failures, asked, decided) = (0, 0, false);
            }
        }
    }
}

/// One question.
fn once(world: &World, run: &PodRun, container: &Container, probe: &Probe) -> bool {
    let patience = Duration::from_secs(
        probe
            .timeout_seconds
            .and_then(|value| u64::try_from(value).ok())
            .unwrap_or(1),
    );
    let Some(address) = address(world, run) else {
        return false;
    };
    let number = |port: &IntOrString| port_number(container, port);
    if let Some(http) = &probe.http_get {
        let Some(port) = number(&http.port) else {
            return false;
        };
        let path = http.path.clone().unwrap_or_else(|| "/".to_owned());
        let tls = http.scheme.as_deref() == Some("HTTPS");
        return run
            .ns
            .enter(|| get(SocketAddr::new(address, port), &path, tls, patience))
            .unwrap_or(false);
    }
    if let Some(socket) = &probe.tcp_socket {
        let Some(port) = number(&socket.port) else {
            return false;
        };
        let at = SocketAddr::new(address, port);
        return run
            .ns
            .enter(|| TcpStream::connect_timeout(&at, patience).is_ok())
            .unwrap_or(false);
    }
    if let Some(exec) = &probe.exec {
        return command(
            world,
            run,
            container,
            exec.command.clone().unwrap_or_default(),
        );
    }
    true
}

fn address(world: &World, run: &PodRun) -> Option<IpAddr> {
    let pod = world.store.get(&run.store_key)?;
    pod["status"]["podIP"].as_str()?.parse().ok()
}

fn port_number(container: &Container, port: &IntOrString) -> Option<u16> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let named = container
                .ports
                .iter()
                .flatten()
                .find(|one| one.name.as_ref() == Some(name));
            named?.container_port
        }
    };
    u16::try_from(number).ok()
}

/// A status from 200 to 399. With HTTPS kubelet looks at no certificate; here the connection counts.
fn get(at: SocketAddr, path: &str, tls: bool, patience: Duration) -> bool {
    let asked = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&at, patience)?;
        if tls {
            return Ok(true);
        }
        stream.set_read_timeout(Some(patience))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {at}\r\nUser-Agent: kube-probe/1.36\r\nConnection: close\r\n\r\n"
        )?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(matches!(head[9], b'2' | b'3'))
    };
    asked().unwrap_or(false)
}

fn command(world: &World, run: &PodRun, container: &Container, words: Vec<String>) -> bool {
    let Some(made) = run.containers.lock().get(&container.name).cloned() else {
        return false;
    };
    let Ok(process) = made.process(world, run) else {
        return false;
    };
    let command = Command {
        words,
        ..Command::default()
    };
    let stdio = Stdio::Pipes { stdin: false };
    let child =
        runtime::enter_container(process.pid, &command, &made.security, stdio, &world.runtime);
    child.is_ok_and(|mut child| {
        world
            .runtime
            .block_on(child.wait())
            .is_ok_and(|status| status.success())
    })
}
