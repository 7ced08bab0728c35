//! PeerAuthentication: which connections a workload's port takes.

use super::super::object::Object;
use super::Istio;
use crate::cluster::{Named, ObjectRef, Pod};
use crate::policy::{Doubt, Truth};

/// What a port asks of those who connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mode {
    Disable,
    #[default]
    Permissive,
    Strict,
}

/// The mode of one port, and which object says so.
#[derive(Debug, Clone, Default)]
pub(super) struct Effective {
    pub mode: Mode,
    pub by: Option<(ObjectRef, String)>,
    /// Policies of which it is open whether they select the workload.
    pub doubts: Vec<Doubt>,
}

/// Workload before namespace before mesh; the oldest of one level counts, `UNSET` inherits, and port
/// exceptions count only with a selector (istio `pilot/pkg/security/authn/policy_applier.go`,
/// ComposePeerAuthentication).
pub(super) fn effective(istio: &Istio<'_>, root: &str, pod: &Pod, port: u16) -> Effective {
    let mut found = Effective::default();
    let (mut mesh, mut namespace, mut workload) = (None, None, None);
    for policy in &istio.peer_authentications {
        let own = policy.namespace() == pod.namespace();
        let has_selector = policy.at("/spec/selector/matchLabels").as_object();
        let has_selector = has_selector.is_some_and(|labels| !labels.is_empty());
        match (policy.namespace() == root, has_selector) {
            (true, false) => mesh = mesh.or(Some(policy)),
            (false, false) if own => namespace = namespace.or(Some(policy)),
            (false, true) if own && workload.is_none() => {
                match policy.selects("/spec/selector", pod.labels()) {
                    Truth::Yes => workload = Some(policy),
                    Truth::No => {}
                    Truth::Maybe(doubt) => found.doubts.push(doubt),
                }
            }
            _ => {}
        }
    }
    for policy in [mesh, namespace, workload].into_iter().flatten() {
        found.take(policy, "/spec/mtls/mode", "spec.mtls.mode");
    }
    if let Some(policy) = workload {
        let pointer = format!("/spec/portLevelMtls/{port}/mode");
        found.take(policy, &pointer, &format!("spec.portLevelMtls.{port}.mode"));
    }
    found
}

// === impl Effective ===

impl Effective {
    fn take(&mut self, policy: &Object<'_>, pointer: &str, field: &str) {
        self.mode = match policy.text(pointer) {
            "STRICT" => Mode::Strict,
            "PERMISSIVE" => Mode::Permissive,
            "DISABLE" => Mode::Disable,
            "" | "UNSET" => return,
            other => {
                let why = format!("{other} is not a known mode");
                return self.doubts.push(policy.not_understood(field, &why));
            }
        };
        self.by = Some((policy.reference(), field.to_owned()));
    }
}
