//! The root folder of a container.
//!
//! The host's programs and libraries are bound in, read-only, below `/.lab/host`; `/bin` holds links
//! to those tools the image has, and nothing else is on the PATH.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::mount::{MntFlags, MsFlags};

use super::image::Image;

/// What containers get for PATH.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where the host shows inside.
const HOST: &str = "/.lab/host";
/// Folders of programs and libraries; where one is a link, it is copied as a link.
const SHARED: [&str; 7] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/lib32",
    "/etc/alternatives",
];
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// A container's root, not yet entered.
#[derive(Debug, Clone)]
pub struct Root {
    pub path: PathBuf,
    pub read_only: bool,
    pub mounts: Vec<Mount>,
    pub tools: Option<PathBuf>,
}

/// A folder or file of the supervisor's that shows inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    pub from: PathBuf,
    /// Absolute, as seen inside.
    pub at: PathBuf,
    pub read_only: bool,
}

// === impl Root ===

impl Root {
    /// Lays out the folders. `etc` are files by name.
    pub fn lay_out(
        path: &Path,
        image: &Image,
        etc: &[(&str, String)],
        mut mounts: Vec<Mount>,
        read_only: bool,
    ) -> Result<Self> {
        for folder in [
            "etc", "proc", "dev/shm", "dev/pts", "sys", "tmp", "root", "run", "var/run", "home",
            "mnt",
        ] {
            fs::create_dir_all(path.join(folder))?;
        }
        fs::set_permissions(path.join("tmp"), fs::Permissions::from_mode(0o1777))?;
        for device in DEVICES {
            fs::write(path.join("dev").join(device), "")?;
        }
        fs::write(path.join("dev/termination-log"), "")?;
        for (name, target) in [
            ("fd", "/proc/self/fd"),
            ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"),
        ] {
            link(target, &path.join("dev").join(name))?;
        }
        for (name, text) in etc {
            fs::write(path.join("etc").join(name), text)?;
        }
        for file in ["protocols", "services", "ld.so.cache", "localtime"] {
            let _ = fs::copy(Path::new("/etc").join(file), path.join("etc").join(file));
        }
        link_host(path, image)?;
        if let Some(program) = image.entry_point.first().map(Path::new) {
            let at = Path::new("/").join(program.file_name().context("a program without a name")?);
            mounts.push(Mount {
                from: program.to_owned(),
                at,
                read_only: true,
            });
        }
        for mount in &mounts {
            place(path, mount)?;
        }
        Ok(Self {
            path: path.to_owned(),
            read_only,
            mounts,
            tools: image.tools.clone(),
        })
    }

    /// Makes it the root of the calling thread, which must have a mount namespace of its own.
    pub fn enter(&self) -> Result<()> {
        bind(&self.path, &self.path, false)?;
        for folder in SHARED {
            let target = inside(&self.path, Path::new(HOST)).join(folder.trim_start_matches('/'));
            let host = Path::new(folder);
            if host.is_dir() && !host.is_symlink() {
                bind(host, &target, true)?;
            }
        }
        if let Some(tools) = &self.tools {
            bind(tools, &self.path.join("bin"), true)?;
        }
        for device in DEVICES {
            bind(
                &Path::new("/dev").join(device),
                &self.path.join("dev").join(device),
                false,
            )?;
        }
        // Terminals are the supervisor's, opened outside.
        bind(Path::new("/dev/pts"), &self.path.join("dev/pts"), false)?;
        // A new /proc can be mounted only where one is to be seen already; it goes on top of this one.
        bind(Path::new("/proc"), &self.path.join("proc"), false)?;
        // Without a network namespace of one's own kind this is refused, and only tools that look
        // at /sys/class/net miss it.
        let sys = self.path.join("sys");
        let _ = nix::mount::mount(
            Some("sysfs"),
            &sys,
            Some("sysfs"),
            MsFlags::MS_RDONLY,
            None::<&str>,
        );
        for mount in &self.mounts {
            bind(&mount.from, &inside(&self.path, &mount.at), mount.read_only)?;
        }
        if self.read_only {
            remount_read_only(&self.path)?;
        }
        nix::unistd::chdir(&self.path)?;
        nix::unistd::pivot_root(".", ".").context("pivot_root")?;
        nix::mount::umount2(".", MntFlags::MNT_DETACH).context("leaving the old root")?;
        nix::unistd::chdir("/")?;
        Ok(())
    }
}

/// The path by which a container sees a program of the host.
pub fn inside_host(program: &Path) -> PathBuf {
    PathBuf::from(format!("{HOST}{}", program.display()))
}

/// Where a program is in a root, looked up as a shell would.
pub fn lookup(root: &Root, program: &str) -> bool {
    let seen = |path: &Path| {
        let in_mounts = root.mounts.iter().any(|mount| mount.at == path);
        let in_tools = match (&root.tools, path.parent(), path.file_name()) {
            (Some(tools), Some(parent), Some(name)) if parent == Path::new("/bin") => {
                tools.join(name).symlink_metadata().is_ok()
            }
            (None, ..) => path.exists(),
            _ => false,
        };
        in_mounts || in_tools || inside(&root.path, path).is_file()
    };
    if program.contains('/') {
        return seen(Path::new(program));
    }
    PATH.split(':')
        .any(|folder| seen(&Path::new(folder).join(program)))
}

fn link_host(path: &Path, image: &Image) -> Result<()> {
    for folder in SHARED {
        let target = inside(path, Path::new(HOST)).join(folder.trim_start_matches('/'));
        let host = Path::new(folder);
        if host.is_symlink() {
            fs::create_dir_all(target.parent().context("a parent")?)?;
            link(&fs::read_link(host)?.to_string_lossy(), &target)?;
        } else if host.is_dir() {
            fs::create_dir_all(&target)?;
        }
    }
    for library in ["lib", "lib64", "lib32"] {
        link(&format!("{HOST}/{library}"), &path.join(library))?;
    }
    link(
        &format!("{HOST}/etc/alternatives"),
        &path.join("etc/alternatives"),
    )?;
    if image.tools.is_some() {
        fs::create_dir_all(path.join("bin"))?;
        fs::create_dir_all(path.join("usr"))?;
        link(&format!("{HOST}/usr/lib"), &path.join("usr/lib"))?;
    } else {
        for folder in ["usr", "bin", "sbin"] {
            link(&format!("{HOST}/{folder}"), &path.join(folder))?;
        }
    }
    Ok(())
}

/// Makes the folder or file a mount covers.
fn place(root: &Path, mount: &Mount) -> Result<()> {
    let at = inside(root, &mount.at);
    if mount.from.is_dir() {
        fs::create_dir_all(&at)?;
    } else {
        fs::create_dir_all(at.parent().context("a mount at the root")?)?;
        if !at.exists() {
            fs::write(&at, "")?;
        }
    }
    Ok(())
}

fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn link(target: &str, at: &Path) -> Result<()> {
    if at.symlink_metadata().is_err() {
        symlink(target, at).with_context(|| at.display().to_string())?;
    }
    Ok(())
}

fn bind(from: &Path, at: &Path, read_only: bool) -> Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    nix::mount::mount(Some(from), at, None::<&str>, flags, None::<&str>)
        .with_context(|| format!("binding {} to {}", from.display(), at.display()))?;
    if read_only {
        // A folder the user namespace may not change further (already read-only, nodev …) stays as it is.
        let _ = remount_read_only(at);
    }
    Ok(())
}

fn remount_read_only(at: &Path) -> Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    nix::mount::mount(None::<&str>, at, None::<&str>, flags, None::<&str>)
        .with_context(|| format!("making {} read-only", at.display()))?;
    Ok(())
}
