//! The code of a cause: typed, so that a finding cannot be made of a misspelled one.

use std::fmt;

use serde::Serialize;

use super::{Cause, cause};
use crate::text::nearest;

/// The stable code of a cause, `SVC-01`. It stays the same over releases, and serializes as its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Code(&'static str);

/// One constant per cause, and the list of all.
macro_rules! codes {
    ($($name:ident = $text:literal;)+) => {
        impl Code {
            $(pub const $name: Self = Self($text);)+
            /// Every code, in the order of the families.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

// A new cause takes the next free number of its family, here and as a heading of the family's file.
codes! {
    // SRC.md
    SRC_01 = "SRC-01";
    SRC_02 = "SRC-02";
    SRC_03 = "SRC-03";
    SRC_04 = "SRC-04";
    SRC_05 = "SRC-05";
    SRC_06 = "SRC-06";
    SRC_07 = "SRC-07";
    SRC_08 = "SRC-08";
    SRC_09 = "SRC-09";
    SRC_10 = "SRC-10";
    SRC_11 = "SRC-11";
    SRC_12 = "SRC-12";
    // DNS.md
    DNS_01 = "DNS-01";
    DNS_02 = "DNS-02";
    DNS_03 = "DNS-03";
    DNS_04 = "DNS-04";
    DNS_05 = "DNS-05";
    DNS_06 = "DNS-06";
    DNS_07 = "DNS-07";
    DNS_08 = "DNS-08";
    DNS_09 = "DNS-09";
    DNS_10 = "DNS-10";
    DNS_11 = "DNS-11";
    DNS_12 = "DNS-12";
    DNS_13 = "DNS-13";
    DNS_14 = "DNS-14";
    DNS_15 = "DNS-15";
    DNS_16 = "DNS-16";
    DNS_17 = "DNS-17";
    DNS_18 = "DNS-18";
    DNS_19 = "DNS-19";
    DNS_20 = "DNS-20";
    DNS_21 = "DNS-21";
    DNS_22 = "DNS-22";
    DNS_23 = "DNS-23";
    DNS_24 = "DNS-24";
    DNS_25 = "DNS-25";
    DNS_26 = "DNS-26";
    // SVC.md
    SVC_01 = "SVC-01";
    SVC_02 = "SVC-02";
    SVC_03 = "SVC-03";
    SVC_04 = "SVC-04";
    SVC_05 = "SVC-05";
    SVC_06 = "SVC-06";
    SVC_07 = "SVC-07";
    SVC_08 = "SVC-08";
    SVC_09 = "SVC-09";
    SVC_10 = "SVC-10";
    SVC_11 = "SVC-11";
    SVC_12 = "SVC-12";
    SVC_13 = "SVC-13";
    SVC_14 = "SVC-14";
    SVC_15 = "SVC-15";
    SVC_16 = "SVC-16";
    SVC_17 = "SVC-17";
    // EPS.md
    EPS_01 = "EPS-01";
    EPS_02 = "EPS-02";
    EPS_03 = "EPS-03";
    EPS_04 = "EPS-04";
    EPS_05 = "EPS-05";
    EPS_06 = "EPS-06";
    EPS_07 = "EPS-07";
    EPS_08 = "EPS-08";
    EPS_09 = "EPS-09";
    EPS_10 = "EPS-10";
    EPS_11 = "EPS-11";
    EPS_12 = "EPS-12";
    EPS_13 = "EPS-13";
    // KPX.md
    KPX_01 = "KPX-01";
    KPX_02 = "KPX-02";
    KPX_03 = "KPX-03";
    KPX_04 = "KPX-04";
    KPX_05 = "KPX-05";
    KPX_06 = "KPX-06";
    KPX_07 = "KPX-07";
    KPX_08 = "KPX-08";
    KPX_09 = "KPX-09";
    KPX_10 = "KPX-10";
    KPX_11 = "KPX-11";
    KPX_12 = "KPX-12";
    KPX_13 = "KPX-13";
    KPX_14 = "KPX-14";
    KPX_15 = "KPX-15";
    KPX_16 = "KPX-16";
    KPX_17 = "KPX-17";
    KPX_18 = "KPX-18";
    KPX_19 = "KPX-19";
    KPX_20 = "KPX-20";
    KPX_21 = "KPX-21";
    // EXT.md
    EXT_01 = "EXT-01";
    EXT_02 = "EXT-02";
    EXT_03 = "EXT-03";
    EXT_04 = "EXT-04";
    EXT_05 = "EXT-05";
    EXT_06 = "EXT-06";
    EXT_07 = "EXT-07";
    EXT_08 = "EXT-08";
    EXT_09 = "EXT-09";
    EXT_10 = "EXT-10";
    EXT_11 = "EXT-11";
    EXT_12 = "EXT-12";
    EXT_13 = "EXT-13";
    EXT_14 = "EXT-14";
    EXT_15 = "EXT-15";
    // ING.md
    ING_01 = "ING-01";
    ING_02 = "ING-02";
    ING_03 = "ING-03";
    ING_04 = "ING-04";
    ING_05 = "ING-05";
    ING_06 = "ING-06";
    ING_07 = "ING-07";
    ING_08 = "ING-08";
    ING_09 = "ING-09";
    ING_10 = "ING-10";
    ING_11 = "ING-11";
    ING_12 = "ING-12";
    ING_13 = "ING-13";
    ING_14 = "ING-14";
    ING_15 = "ING-15";
    ING_16 = "ING-16";
    ING_17 = "ING-17";
    // POL.md
    POL_01 = "POL-01";
    POL_02 = "POL-02";
    POL_03 = "POL-03";
    POL_04 = "POL-04";
    POL_05 = "POL-05";
    POL_06 = "POL-06";
    POL_07 = "POL-07";
    POL_08 = "POL-08";
    POL_09 = "POL-09";
    POL_10 = "POL-10";
    POL_11 = "POL-11";
    POL_12 = "POL-12";
    POL_13 = "POL-13";
    POL_14 = "POL-14";
    POL_15 = "POL-15";
    POL_16 = "POL-16";
    POL_17 = "POL-17";
    POL_18 = "POL-18";
    POL_19 = "POL-19";
    POL_20 = "POL-20";
    POL_21 = "POL-21";
    POL_22 = "POL-22";
    POL_23 = "POL-23";
    POL_24 = "POL-24";
    // RTE.md
    RTE_01 = "RTE-01";
    RTE_02 = "RTE-02";
    RTE_03 = "RTE-03";
    RTE_04 = "RTE-04";
    RTE_05 = "RTE-05";
    RTE_06 = "RTE-06";
    RTE_07 = "RTE-07";
    RTE_08 = "RTE-08";
    RTE_09 = "RTE-09";
    RTE_10 = "RTE-10";
    RTE_11 = "RTE-11";
    RTE_12 = "RTE-12";
    RTE_13 = "RTE-13";
    RTE_14 = "RTE-14";
    RTE_15 = "RTE-15";
    RTE_16 = "RTE-16";
    RTE_17 = "RTE-17";
    RTE_18 = "RTE-18";
    RTE_19 = "RTE-19";
    RTE_20 = "RTE-20";
    RTE_21 = "RTE-21";
    RTE_22 = "RTE-22";
    RTE_23 = "RTE-23";
    RTE_24 = "RTE-24";
    RTE_25 = "RTE-25";
    RTE_26 = "RTE-26";
    RTE_27 = "RTE-27";
    RTE_28 = "RTE-28";
    RTE_29 = "RTE-29";
    RTE_30 = "RTE-30";
    RTE_31 = "RTE-31";
    RTE_32 = "RTE-32";
    RTE_33 = "RTE-33";
    RTE_34 = "RTE-34";
    RTE_35 = "RTE-35";
    RTE_36 = "RTE-36";
    // DST.md
    DST_01 = "DST-01";
    DST_02 = "DST-02";
    DST_03 = "DST-03";
    DST_04 = "DST-04";
    DST_05 = "DST-05";
    DST_06 = "DST-06";
    DST_07 = "DST-07";
    DST_08 = "DST-08";
    DST_09 = "DST-09";
    DST_10 = "DST-10";
    DST_11 = "DST-11";
    // EGR.md
    EGR_01 = "EGR-01";
    EGR_02 = "EGR-02";
    EGR_03 = "EGR-03";
    EGR_04 = "EGR-04";
    EGR_05 = "EGR-05";
    // MC.md
    MC_01 = "MC-01";
    MC_02 = "MC-02";
    MC_03 = "MC-03";
    MC_04 = "MC-04";
    MC_05 = "MC-05";
    // MESH.md
    MESH_01 = "MESH-01";
    MESH_02 = "MESH-02";
    MESH_03 = "MESH-03";
    MESH_04 = "MESH-04";
    MESH_05 = "MESH-05";
    MESH_06 = "MESH-06";
    MESH_07 = "MESH-07";
    MESH_08 = "MESH-08";
    MESH_09 = "MESH-09";
    MESH_10 = "MESH-10";
    MESH_11 = "MESH-11";
    MESH_12 = "MESH-12";
    MESH_13 = "MESH-13";
    MESH_14 = "MESH-14";
}

// === impl Code ===

impl Code {
    /// Reads a code in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|code| code.0.eq_ignore_ascii_case(text))
    }

    /// The code that was most likely meant.
    #[must_use]
    pub fn nearest(text: &str) -> Option<Self> {
        let codes = Self::ALL.iter().map(|code| code.0);
        let near = nearest(&text.to_uppercase(), codes);
        Self::parse(near.first()?)
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// What it means; none only where the family's file lacks it, which a test rules out.
    #[must_use]
    pub fn cause(self) -> Option<&'static Cause> {
        cause(self)
    }

    /// What it is called: `selector matches no pod`.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.cause().map_or("", |cause| cause.title)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}
