//! A cluster to play with, without Kubernetes.
//!
//! ```text
//!  cargo run -p netpath-lab -- up [SCENARIO] [OPTION]…       leaves it running, prints a KUBECONFIG
//!  cargo run -p netpath-lab -- run PLACE SCRIPT              runs a shell script in it (node1, ext, shop/client-1)
//!  cargo run -p netpath-lab -- inject SCENARIO               breaks it as the scenario does
//!  cargo run -p netpath-lab -- down                          removes it
//! ```
//!
//! | option of `up` | |
//! | --- | --- |
//! | `--nftables`, `--iptables`, `--legacy` | how kube-proxy programs Services; the last by iptables-legacy |
//! | `--dual` | IPv6 beside IPv4 |
//! | `--vxlan` | pod traffic between nodes in VXLAN, in place of plain routes |
//! | `--mtu LINK=BYTES` | how large packets may be on one link, such as `node1=1400`, `shop/client-1=1300`, `overlay=1400`; more in `net/links.rs` |

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use netpath_lab::control::Request;
use netpath_lab::launch::Ready;
use netpath_lab::net::Transport;
use netpath_lab::proxy::{Backend, Mode};

/// The image by which the lab has the probe.
const PROBE: &str = "localhost/kubectl-netpath:dev";
const USAGE: &str = "usage: lab up [SCENARIO] [--nftables | --iptables | --legacy] [--dual] [--vxlan] [--mtu LINK=BYTES]… | \
    lab inject SCENARIO | lab run PLACE SCRIPT | lab down";

fn main() -> ExitCode {
    netpath_lab::supervisor::run_if_told();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["up", rest @ ..] => up(rest),
        ["run", place, script @ ..] => run(place, &script.join(" ")),
        ["inject", name] => inject(name),
        ["down"] => down(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("lab: {error:#}");
        ExitCode::FAILURE
    })
}

fn up(words: &[&str]) -> Result<ExitCode> {
    let folder = home();
    if let Ok(ready) = running() {
        bail!(
            "a lab runs already (KUBECONFIG={}); `lab down` removes it",
            ready.kubeconfig().display()
        );
    }
    let mut options = netpath_lab::Options {
        detached: Some(folder.clone()),
        ..netpath_lab::Options::default()
    };
    let probe = probe();
    if let Some(program) = &probe {
        let words = vec![program.to_string_lossy().into_owned()];
        options.images.insert(PROBE.to_owned(), words);
    }
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--nftables" => options.proxy = Some(Mode::Nftables),
            "--iptables" => options.proxy = Some(Mode::Iptables),
            "--legacy" => {
                options.proxy = Some(Mode::Iptables);
                options.iptables = Some(Backend::Legacy);
            }
            "--dual" => options.dual = true,
            "--vxlan" => options.transport = Some(Transport::Vxlan),
            "--mtu" => options.mtu.add(words.next().context(USAGE)?)?,
            name if !name.starts_with('-') => options.scenario = Some(scenario(name)?),
            other => bail!("{other}: no such option\n{USAGE}"),
        }
    }
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let since = Instant::now();
    let started = netpath_lab::Lab::start(&options);
    let ready = match started {
        Ok(lab) => lab.detach(),
        Err(error) => {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            let _ = std::fs::remove_dir_all(&folder);
            bail!("{error}\n{log}");
        }
    };
    std::fs::write(folder.join("ready"), serde_json::to_string(&ready)?)?;
    eprintln!("the lab is up after {:.1} s", since.elapsed().as_secs_f64());
    if let Some(program) = probe {
        let program = program.with_file_name("kubectl-netpath");
        let program = program.display();
        eprintln!(
            "try: kubectl -n shop get pods; {program} -n shop --agent-image {PROBE} pod/client-1 svc/api"
        );
    }
    println!("export KUBECONFIG={}", ready.kubeconfig().display());
    Ok(ExitCode::SUCCESS)
}

fn run(place: &str, script: &str) -> Result<ExitCode> {
    let request = Request::Run {
        place: place.to_owned(),
        script: script.to_owned(),
    };
    let outcome = running()?.ask(&request)?.into_outcome()?;
    print!("{}", outcome.stdout);
    eprint!("{}", outcome.stderr);
    Ok(ExitCode::from(u8::try_from(outcome.code).unwrap_or(255)))
}

/// Breaks the lab as a scenario does; its objects must be there already.
fn inject(name: &str) -> Result<ExitCode> {
    let options = netpath_lab::Options {
        scenario: Some(scenario(name)?),
        ..netpath_lab::Options::default()
    };
    let list = netpath_lab::scenario::Scenario::load(&options)?.inject;
    running()?.ask(&Request::Inject { list })?;
    Ok(ExitCode::SUCCESS)
}

fn down() -> Result<ExitCode> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let ready = running()?;
    ready.ask(&Request::Down)?;
    let since = Instant::now();
    while Path::new(&format!("/proc/{}/root", ready.pid)).exists() {
        if since.elapsed() > PATIENCE {
            bail!("the lab (process {}) does not end", ready.pid);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(ExitCode::SUCCESS)
}

/// The lab that `up` left running.
fn running() -> Result<Ready> {
    let file = home().join("ready");
    let text = std::fs::read_to_string(&file).context("no lab runs (`lab up` starts one)")?;
    let ready: Ready = serde_json::from_str(&text)?;
    if !ready.kubeconfig().exists() {
        bail!("the lab that was left running has ended");
    }
    Ok(ready)
}

/// The probe's program, if it was built: beside this one.
fn probe() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let built = own.parent()?.join("netpath-agent");
    built.is_file().then_some(built)
}

/// What `up` leaves for the others to find.
fn home() -> PathBuf {
    let user = nix::unistd::getuid();
    std::env::temp_dir().join(format!("netpath-lab-{user}"))
}

/// A scenario by its path, or by its name among those of the tests.
fn scenario(name: &str) -> Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    for path in [PathBuf::from(name), own.join(name)] {
        if path.exists() {
            return Ok(std::fs::canonicalize(path)?);
        }
    }
    let names = std::fs::read_dir(own)?.flatten();
    let mut names: Vec<String> = names
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    bail!("{name}: no such scenario (there are {})", names.join(", "))
}
