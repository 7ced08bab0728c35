//! The first process of a lab: makes its namespaces a place to live in, builds the cluster, and
//! stays until it is no longer wanted.

use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use nix::mount::MsFlags;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use tokio::runtime::Runtime;

use super::inject::inject;
use super::launch::{HOME, ROLE, Ready};
use super::options::Options;
use super::scenario::Scenario;
use super::world::World;
use super::{api, control_server, net};

/// Becomes a lab's supervisor and never returns, if this process was started to be one.
pub fn run_if_told() {
    let Ok(options) = std::env::var(ROLE) else {
        return;
    };
    let code = match run(&options) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("lab: {error:#}");
            1
        }
    };
    std::process::exit(code);
}

fn run(options: &str) -> Result<()> {
    let options: Options = serde_json::from_str(options)?;
    let mut life = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let listener = receive(&life)?;
    let pid = outer_pid()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let built = settle().and_then(|()| build(&options, &runtime, listener));
    let ready = Ready {
        pid,
        port: 0,
        error: built.as_ref().err().map(|error| format!("{error:#}")),
    };
    writeln!(life, "{}", serde_json::to_string(&ready)?)?;
    let world = built?;
    if options.detached.is_none() {
        std::thread::spawn(move || {
            // Nothing is ever sent: this returns when the other end is gone.
            let _ = life.read(&mut [0]);
            std::process::exit(0);
        });
    }
    runtime.block_on(asked_to_end(&world));
    if let Some(folder) = &options.detached {
        let _ = std::fs::remove_dir_all(folder);
    }
    Ok(())
}

/// Waits for a signal or for the request to end.
async fn asked_to_end(world: &World) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = world.over.notified() => {}
    }
}

fn build(options: &Options, runtime: &Runtime, listener: TcpListener) -> Result<Arc<World>> {
    let scenario = Scenario::load(options)?;
    let world = World::build(&scenario, options, runtime.handle().clone())?;
    world.start()?;
    inject(&world, &scenario.inject)?;
    api::serve(&world, listener)?;
    control_server::serve(&world)?;
    Ok(world)
}

/// The API's socket, opened outside.
fn receive(life: &UnixStream) -> Result<TcpListener> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    rustix::net::recvmsg(
        life,
        &mut [IoSliceMut::new(&mut byte)],
        &mut control,
        RecvFlags::empty(),
    )?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut sockets) = message {
            return Ok(sockets.next().context("no socket in the message")?.into());
        }
    }
    bail!("the listening socket did not arrive")
}

/// This process's id as seen from outside: `/proc` is still the one of there.
fn outer_pid() -> Result<u32> {
    let name = std::fs::read_link("/proc/self").context("/proc/self")?;
    Ok(name.to_string_lossy().parse()?)
}

/// Gives the lab a `/proc`, a `/run` and a `/sys` of its own.
fn settle() -> Result<()> {
    let mount = |kind: &str, at: &str, data: Option<&str>| {
        nix::mount::mount(Some(kind), at, Some(kind), MsFlags::empty(), data)
            .with_context(|| format!("mounting {at}"))
    };
    // Where the file leads before `/run` is covered: with systemd-resolved, into it.
    let resolver = std::fs::canonicalize("/etc/resolv.conf").ok();
    mount("proc", "/proc", None)?;
    mount("tmpfs", "/run", Some("mode=755"))?;
    // Only for tools that look at /sys/class/net; they do without.
    let _ = mount("sysfs", "/sys", None);
    for folder in [HOME, net::NAMES, "/run/lock"] {
        std::fs::create_dir_all(folder)?;
    }
    if let Some(file) = resolver.filter(|file| file.starts_with("/run")) {
        std::fs::create_dir_all(file.parent().unwrap_or_else(|| Path::new("/run")))?;
        std::fs::write(file, "")?;
    }
    nix::unistd::sethostname("lab").context("sethostname")?;
    Ok(())
}
