//! The report as it is printed (contract: fields are only ever added).

use serde::Serialize;

use super::measurement::Measurement;
use super::tap::ReportTap;
use crate::cluster::{ObjectRef, Unread};
use crate::diagnose::{Blame, Confidence, Fix, Severity, Verdict};
use crate::path::{Basis, Boundary, Evidence, Mode, Stage, Status};

/// Everything a question was answered with.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PathReport {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub verdict: Verdict,
    /// The answer in one sentence.
    pub answer: String,
    /// Whether a probe saw it; else it follows from what was read.
    pub measured: bool,
    /// The kinds of evidence the verdict rests on.
    pub basis: Vec<Basis>,
    pub source: ReportEnd,
    pub destination: ReportEnd,
    /// Which cluster was asked, as the kubeconfig calls it; none for a snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// How long asking took, in milliseconds; none for a snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
    /// The program that says so.
    pub tool: Tool,
    /// When it was said (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What was measured, in numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub measurements: Vec<Measurement>,
    pub paths: Vec<ReportPath>,
    pub findings: Vec<ReportFinding>,
    /// The points that one probe passed, where it was tapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tap: Option<ReportTap>,
    /// Dataplanes that the objects of the cluster show, with what each replaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dataplanes: Vec<ReportDataplane>,
    /// What a verdict of this depth does not rest on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_looked_at: Vec<String>,
    pub unread: Vec<Unread>,
    pub left: Vec<Left>,
    /// Objects that were read and not understood.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Rejection>,
}

/// A dataplane of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportDataplane {
    pub name: &'static str,
    /// `replaces kube-proxy`
    pub role: &'static str,
    pub evidence: Vec<String>,
}

/// The program that made a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tool {
    pub name: &'static str,
    pub version: &'static str,
}

impl Tool {
    /// This program.
    pub const OWN: Self = Self {
        name: "kubectl-netpath",
        version: env!("CARGO_PKG_VERSION"),
    };
}

/// One end of the question.
#[derive(Debug, Clone, Serialize)]
pub struct ReportEnd {
    #[serde(flatten)]
    pub object: ObjectRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The whole URL, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// One distinct walk.
#[derive(Debug, Clone, Serialize)]
pub struct ReportPath {
    pub sources: Vec<ReportSource>,
    pub backends: Vec<ReportBackend>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    pub mode: Mode,
    pub verdict: Verdict,
    pub hops: Vec<ReportHop>,
}

/// Where a walk starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportSource {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
}

/// Where a walk ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportBackend {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    pub address: String,
    /// The other cluster that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Whether it would only be reached after a repair.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hypothetical: bool,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportHop {
    pub stage: Stage,
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<ObjectRef>,
    pub summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boundary: Option<Boundary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packet: Option<ReportPacket>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicted: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed: Option<String>,
    pub evidence: Vec<Evidence>,
}

/// A packet before and after a hop, as `10.244.1.9:* > 10.96.6.170:8080`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportPacket {
    pub before: String,
    pub after: String,
}

/// One cause.
#[derive(Debug, Clone, Serialize)]
pub struct ReportFinding {
    pub code: String,
    pub title: String,
    pub severity: Severity,
    pub confidence: Confidence,
    pub stage: Stage,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Blame>,
    pub summary: String,
    pub evidence: Vec<String>,
    pub fix: Fix,
}

/// Something the tool made in the cluster that is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    pub what: String,
    pub why: String,
}

/// An object that was read and not understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    pub object: String,
    pub why: String,
}
