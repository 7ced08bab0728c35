//! Classic BPF (linux/filter.h) with names for its jumps.
//!
//! Conditional jumps reach 255 instructions only; here each is followed by a plain one, which reaches
//! everywhere.

use std::collections::BTreeMap;

use nix::libc::{self, sock_filter};

/// A place in a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Label(usize);

/// One instruction: of the code, its argument, and where it jumps to, if it does.
struct Instruction {
    code: u32,
    jt: u8,
    jf: u8,
    k: u32,
    to: Option<Label>,
}

/// A program in the making.
#[derive(Default)]
pub(super) struct Assembler {
    code: Vec<Instruction>,
    places: BTreeMap<Label, usize>,
    labels: usize,
}

/// How much is loaded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Size {
    Byte,
    Half,
    Word,
}

// === impl Assembler ===

impl Assembler {
    /// A label that stands nowhere yet.
    pub(super) const fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels)
    }

    /// Puts a label here.
    pub(super) fn here(&mut self, label: Label) {
        self.places.insert(label, self.code.len());
    }

    fn plain(&mut self, code: u32, k: u32) {
        self.code.push(Instruction {
            code,
            jt: 0,
            jf: 0,
            k,
            to: None,
        });
    }

    /// A = the packet's bytes at X + `offset`. A packet that is too short ends the program: rejected.
    pub(super) fn load(&mut self, size: Size, offset: u32) {
        let size = match size {
            Size::Byte => libc::BPF_B,
            Size::Half => libc::BPF_H,
            Size::Word => libc::BPF_W,
        };
        self.plain(libc::BPF_LD | libc::BPF_IND | size, offset);
    }

    /// X = a constant.
    pub(super) fn set_x(&mut self, value: u32) {
        self.plain(libc::BPF_LDX | libc::BPF_IMM, value);
    }

    /// X = A.
    pub(super) fn keep_x(&mut self) {
        self.plain(libc::BPF_MISC | libc::BPF_TAX, 0);
    }

    /// A = X.
    pub(super) fn copy_x(&mut self) {
        self.plain(libc::BPF_MISC | libc::BPF_TXA, 0);
    }

    /// A = A + X.
    pub(super) fn add_x(&mut self) {
        self.plain(libc::BPF_ALU | libc::BPF_ADD | libc::BPF_X, 0);
    }

    pub(super) fn add(&mut self, value: u32) {
        self.plain(libc::BPF_ALU | libc::BPF_ADD, value);
    }

    pub(super) fn and(&mut self, mask: u32) {
        self.plain(libc::BPF_ALU | libc::BPF_AND, mask);
    }

    pub(super) fn shift_left(&mut self, bits: u32) {
        self.plain(libc::BPF_ALU | libc::BPF_LSH, bits);
    }

    pub(super) fn shift_right(&mut self, bits: u32) {
        self.plain(libc::BPF_ALU | libc::BPF_RSH, bits);
    }

    /// Keeps A for later.
    pub(super) fn store(&mut self, cell: u32) {
        self.plain(libc::BPF_ST, cell);
    }

    /// A = what was kept.
    pub(super) fn recall(&mut self, cell: u32) {
        self.plain(libc::BPF_LD | libc::BPF_MEM, cell);
    }

    pub(super) fn goto(&mut self, to: Label) {
        self.plain(libc::BPF_JMP | libc::BPF_JA, 0);
        self.aim(to);
    }

    /// Jumps if A is `value`.
    pub(super) fn if_equal(&mut self, value: u32, to: Label) {
        self.branch(libc::BPF_JEQ, value, to);
    }

    /// Jumps if A has one of the bits.
    pub(super) fn if_any(&mut self, bits: u32, to: Label) {
        self.branch(libc::BPF_JSET, bits, to);
    }

    /// Jumps unless A is `value`.
    pub(super) fn unless_equal(&mut self, value: u32, to: Label) {
        let equal = self.label();
        self.if_equal(value, equal);
        self.goto(to);
        self.here(equal);
    }

    fn branch(&mut self, test: u32, value: u32, to: Label) {
        self.plain(libc::BPF_JMP | test, value);
        if let Some(last) = self.code.last_mut() {
            last.jf = 1;
        }
        self.goto(to);
    }

    fn aim(&mut self, to: Label) {
        if let Some(last) = self.code.last_mut() {
            last.to = Some(to);
        }
    }

    /// Ends with so many bytes of the packet; none rejects it.
    pub(super) fn give(&mut self, bytes: u32) {
        self.plain(libc::BPF_RET, bytes);
    }

    /// The program, with its jumps counted.
    pub(super) fn finish(self) -> Vec<sock_filter> {
        let places = &self.places;
        let code = self.code.iter().enumerate().map(|(at, one)| {
            // A label that was put nowhere is the end, which rejects.
            let to = one.to.map(|label| places.get(&label).copied());
            let k = match to {
                Some(to) => to.unwrap_or(self.code.len()).saturating_sub(at + 1),
                None => one.k as usize,
            };
            sock_filter {
                code: u16::try_from(one.code).unwrap_or_default(),
                jt: one.jt,
                jf: one.jf,
                k: u32::try_from(k).unwrap_or_default(),
            }
        });
        code.collect()
    }
}
