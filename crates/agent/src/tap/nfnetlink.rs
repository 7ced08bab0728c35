//! Messages of nf_tables (linux/netfilter/nfnetlink.h, nf_tables.h), as far as a trace needs them.
//!
//! ```text
//!  length kind flags sequence port │ family version resource │ attributes
//! ```

use netlink_packet_core::{NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST};

/// Bytes of a message before its attributes.
pub(super) const HEADERS: usize = 20;
/// Marks an attribute that consists of attributes.
const NESTED: u16 = 0x8000;

/// nfnetlink.h: `NFNL_SUBSYS_NFTABLES`.
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// nf_tables.h: `NFT_MSG_…`.
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const NEW_CHAIN: u16 = SUBSYSTEM << 8 | 3;
const NEW_RULE: u16 = SUBSYSTEM << 8 | 6;
pub(super) const TRACE: u16 = SUBSYSTEM << 8 | 0x11;

/// netfilter.h: `NFPROTO_INET`.
const INET: u8 = 1;
/// nf_tables.h: a table of this flag goes with the socket that made it (since Linux 5.12).
const OWNER: u32 = 2;
/// A register of 16 bytes, `NFT_REG_1`.
const REGISTER: u32 = 1;

/// Attributes of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attributes(Vec<u8>);

// === impl Attributes ===

impl Attributes {
    pub(super) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub(super) fn text(self, kind: u16, value: &str) -> Self {
        let bytes = [value.as_bytes(), &[0]].concat();
        self.bytes(kind, &bytes)
    }

    /// Numbers of nf_tables are in network order.
    pub(super) fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub(super) fn nest(self, kind: u16, inner: &Self) -> Self {
        self.bytes(kind | NESTED, &inner.0)
    }
}

/// A batch of changes that takes place as a whole.
pub(super) struct Batch {
    bytes: Vec<u8>,
    messages: u32,
}

// === impl Batch ===

impl Batch {
    pub(super) fn new() -> Self {
        let mut batch = Self {
            bytes: Vec::new(),
            messages: 0,
        };
        batch.add(BATCH_BEGIN, 0, 0, &Attributes::default());
        batch
    }

    fn add(&mut self, kind: u16, flags: u16, family: u8, attributes: &Attributes) {
        let length = u32::try_from(HEADERS + attributes.0.len()).unwrap_or(u32::MAX);
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend((flags | NLM_F_REQUEST).to_ne_bytes());
        self.bytes.extend(self.messages.to_ne_bytes());
        self.bytes.extend(0_u32.to_ne_bytes());
        let [high, low] = SUBSYSTEM.to_be_bytes();
        self.bytes.extend([family, 0, high, low]);
        self.bytes.extend(&attributes.0);
        self.messages += 1;
    }

    /// A table that goes with the socket.
    pub(super) fn table(&mut self, name: &str) {
        let table = Attributes::default().text(1, name).number(2, OWNER);
        self.add(NEW_TABLE, NLM_F_CREATE, INET, &table);
    }

    /// A chain of filters at a hook, before all others.
    pub(super) fn chain(&mut self, table: &str, name: &str, hook: u32, priority: i32) {
        let at = Attributes::default()
            .number(1, hook)
            .bytes(2, &priority.to_be_bytes());
        let chain = Attributes::default()
            .text(1, table)
            .text(3, name)
            .nest(4, &at)
            .text(7, "filter");
        self.add(NEW_CHAIN, NLM_F_CREATE, INET, &chain);
    }

    /// A rule of expressions.
    pub(super) fn rule(&mut self, table: &str, chain: &str, expressions: &[Attributes]) {
        let list = expressions
            .iter()
            .fold(Attributes::default(), |list, one| list.nest(1, one));
        let rule = Attributes::default()
            .text(1, table)
            .text(2, chain)
            .nest(4, &list);
        self.add(NEW_RULE, NLM_F_CREATE | NLM_F_APPEND, INET, &rule);
    }

    /// The whole batch; the last change is acknowledged.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.add(BATCH_END, NLM_F_ACK, 0, &Attributes::default());
        self.bytes
    }
}

fn expression(name: &str, data: &Attributes) -> Attributes {
    Attributes::default().text(1, name).nest(2, data)
}

/// `meta l4proto NUMBER`
pub(super) fn protocol(number: u8) -> [Attributes; 2] {
    const L4PROTO: u32 = 16;
    let load = Attributes::default().number(1, REGISTER).number(2, L4PROTO);
    [expression("meta", &load), equal(&[number])]
}

/// `@th,OFFSET,LENGTH VALUE`, counted in bytes.
pub(super) fn transport(offset: u32, value: &[u8]) -> [Attributes; 2] {
    const TRANSPORT: u32 = 2;
    let length = u32::try_from(value.len()).unwrap_or_default();
    let load = Attributes::default()
        .number(1, REGISTER)
        .number(2, TRANSPORT)
        .number(3, offset)
        .number(4, length);
    [expression("payload", &load), equal(value)]
}

fn equal(value: &[u8]) -> Attributes {
    const EQUAL: u32 = 0;
    let data = Attributes::default().bytes(1, value);
    let compare = Attributes::default()
        .number(1, REGISTER)
        .number(2, EQUAL)
        .nest(3, &data);
    expression("cmp", &compare)
}

/// `meta nftrace set 1`
pub(super) fn trace() -> [Attributes; 2] {
    const NFTRACE: u32 = 12;
    let one = Attributes::default().bytes(1, &[1]);
    let load = Attributes::default().number(1, REGISTER).nest(2, &one);
    let set = Attributes::default().number(2, NFTRACE).number(3, REGISTER);
    [expression("immediate", &load), expression("meta", &set)]
}
