//! Marks that rules ask for and that no rule sets: a program on an interface or a process may have.

use super::chain::Holds;
use super::state::State;
use crate::nat::model::{Action, Field, MarkOf, Ruleset, Step, Table, Test, Values};

/// Bits of kube-proxy and the kubelet (`KUBE-MARK-MASQ`, `KUBE-MARK-DROP`), which nobody else sets. The
/// chain that sets one is missing where nothing needs it.
const KUBERNETES: u32 = 0x4000 | 0x8000;

/// The bits that some rule asks for and none sets.
pub(super) fn open(rules: &Ruleset) -> u32 {
    let steps = || {
        let tables = rules.tables.iter();
        tables.flat_map(Table::all_steps)
    };
    let asked = steps().fold(0, |bits, step| bits | asks_for(step));
    let set = steps().fold(0, |bits, step| bits | sets(step));
    asked & !set & !KUBERNETES
}

fn asks_for(step: &Step) -> u32 {
    match step {
        Step::Test(Test {
            field: Field::Mark(MarkOf::Packet),
            values,
            ..
        }) => match *values {
            Values::Masked { mask, wanted: 0 } if mask != u32::MAX => mask,
            Values::Masked { wanted, .. } => wanted,
            Values::AnyBit(bits) => u32::try_from(bits).unwrap_or_default(),
            _ => single(values).unwrap_or_default(),
        },
        _ => 0,
    }
}

const fn sets(step: &Step) -> u32 {
    match step {
        Step::Act(Action::SetMark { value, .. }) => *value,
        _ => 0,
    }
}

fn single(values: &Values) -> Option<u32> {
    u32::try_from(values.single()?).ok()
}

/// Whether a test of a mark holds where some of its bits are not known; none where all are.
pub(super) fn compare(state: &State, of: MarkOf, test: &Test) -> Option<Holds> {
    let open = state.open_mark(of);
    let mark = state.mark_of(of);
    let (mask, wanted) = match test.values {
        Values::Masked { mask, wanted } => (mask, wanted),
        Values::AnyBit(bits) => {
            let bits = u32::try_from(bits).ok()?;
            if mark & !open & bits != 0 {
                return None;
            }
            (bits, bits)
        }
        _ => (u32::MAX, single(&test.values)?),
    };
    let known = mask & !open;
    if open & mask == 0 || mark & known != wanted & known {
        return None;
    }
    Some(Holds::Unknown(format!(
        "whether mark {wanted:#x}/{mask:#x} is set: no rule here sets it"
    )))
}
