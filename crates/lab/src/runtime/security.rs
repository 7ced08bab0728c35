//! Who a container runs as, and what it may. Source: Kubernetes securityContext, containerd's default
//! capabilities.

use k8s_openapi::api::core::v1::{PodSecurityContext, SecurityContext};

/// What a container without any wishes gets.
const DEFAULT: [&str; 14] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
];

/// The user and the powers of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Security {
    pub uid: u32,
    pub gid: u32,
    /// `None` for all.
    pub capabilities: Option<Vec<String>>,
    pub no_new_privileges: bool,
    pub read_only_root: bool,
}

/// Works out what a container gets, or why kubelet refuses to make it.
pub fn security(
    pod: Option<&PodSecurityContext>,
    container: Option<&SecurityContext>,
    image_uid: u32,
) -> Result<Security, String> {
    let own = |pick: fn(&SecurityContext) -> Option<i64>| container.and_then(pick);
    let shared = |pick: fn(&PodSecurityContext) -> Option<i64>| pod.and_then(pick);
    let uid = own(|one| one.run_as_user).or_else(|| shared(|one| one.run_as_user));
    let uid = uid.map_or(image_uid, |uid| u32::try_from(uid).unwrap_or_default());
    let gid = own(|one| one.run_as_group).or_else(|| shared(|one| one.run_as_group));
    let gid = gid.map_or(if uid == image_uid { uid } else { 0 }, |gid| {
        u32::try_from(gid).unwrap_or_default()
    });
    let non_root = container
        .and_then(|one| one.run_as_non_root)
        .or_else(|| pod.and_then(|one| one.run_as_non_root));
    if non_root == Some(true) && uid == 0 {
        return Err("container has runAsNonRoot and image will run as root".to_owned());
    }
    let privileged = container.and_then(|one| one.privileged) == Some(true);
    Ok(Security {
        uid,
        gid,
        capabilities: (!privileged).then(|| capabilities(container)),
        no_new_privileges: container.and_then(|one| one.allow_privilege_escalation) == Some(false),
        read_only_root: container.and_then(|one| one.read_only_root_filesystem) == Some(true),
    })
}

fn capabilities(container: Option<&SecurityContext>) -> Vec<String> {
    let wishes = container
        .and_then(|one| one.capabilities.clone())
        .unwrap_or_default();
    let plain = |name: &String| name.trim_start_matches("CAP_").to_uppercase();
    let dropped: Vec<String> = wishes.drop.iter().flatten().map(plain).collect();
    let mut kept: Vec<String> = DEFAULT.iter().map(|name| (*name).to_owned()).collect();
    kept.retain(|name| !dropped.contains(name) && !dropped.contains(&"ALL".to_owned()));
    for name in wishes.add.iter().flatten().map(plain) {
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    kept
}

// === impl Security ===

impl Security {
    /// The programs, as seen inside, that a command is started through.
    ///
    /// Another user than root becomes one in a user namespace of its own: it is the lab's only user
    /// outside, and has no powers over the lab's namespaces, as a non-root user of a container.
    pub fn wrapper(&self, tool: &dyn Fn(&str) -> String) -> Vec<String> {
        let mut words = Vec::new();
        if self.uid != 0 {
            let (uid, gid) = (self.uid, self.gid);
            words.extend([tool("unshare"), "--user".to_owned()]);
            words.extend([
                format!("--map-user={uid}"),
                format!("--map-group={gid}"),
                "--".to_owned(),
            ]);
        }
        words.push(tool("setpriv"));
        if self.no_new_privileges {
            words.push("--no-new-privs".to_owned());
        }
        if let Some(capabilities) = self.capabilities.as_ref().filter(|_| self.uid == 0) {
            let kept: String = capabilities
                .iter()
                .fold(String::new(), |all, one| all + ",+" + &one.to_lowercase());
            words.extend([
                "--inh-caps=-all".to_owned(),
                format!("--bounding-set=-all{kept}"),
            ]);
        }
        words.push("--".to_owned());
        words
    }
}
