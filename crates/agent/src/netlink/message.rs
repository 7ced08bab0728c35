//! Messages of rtnetlink: a header of fixed fields, then attributes.
//!
//! ```text
//!  header │ length kind value │ length kind value │ …
//!                       └─ a number, an address, a name, or attributes again
//! ```
//!
//! Only what is asked for is read: attributes that a newer kernel adds are passed over.

use std::net::IpAddr;

use netlink_packet_core::{DecodeError, Emitable, NlaBuffer, NlasIterator, Parseable};

/// Bytes of an attribute before its value.
const ATTRIBUTE_HEADER: usize = 4;

/// A query for everything of an address family: a header of `N` bytes that is empty otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<const N: usize> {
    pub(crate) family: u8,
}

/// A message whose header is `H`, written in `N` bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message<H, const N: usize> {
    pub(crate) header: H,
    attributes: Vec<u8>,
}

/// Attributes of a message, or those that an attribute consists of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes<'a>(&'a [u8]);

// === impl Query ===

impl<const N: usize> Emitable for Query<N> {
    fn buffer_len(&self) -> usize {
        N
    }

    fn emit(&self, bytes: &mut [u8]) {
        bytes[0] = self.family;
    }
}

// === impl Message ===

impl<H: From<[u8; N]>, const N: usize> Parseable<[u8]> for Message<H, N> {
    fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let too_short = || DecodeError::buffer_too_small(bytes.len(), N);
        let (header, attributes) = bytes.split_first_chunk().ok_or_else(too_short)?;
        NlasIterator::new(attributes).try_for_each(|one| one.map(drop))?;
        Ok(Self {
            header: H::from(*header),
            attributes: attributes.to_vec(),
        })
    }
}

impl<H, const N: usize> Message<H, N> {
    pub(crate) const fn attributes(&self) -> Attributes<'_> {
        Attributes(self.attributes.as_slice())
    }
}

// === impl Attributes ===

impl<'a> Attributes<'a> {
    /// Those in the rest of a structure that begins otherwise (`struct rtnexthop`).
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(self, kind: u16) -> Option<&'a [u8]> {
        let found = NlasIterator::new(self.0)
            .map_while(Result::ok)
            .find(|one: &NlaBuffer<&[u8]>| one.kind() == kind)?;
        let end = usize::from(found.length());
        found.into_inner().get(ATTRIBUTE_HEADER..end)
    }

    pub(crate) fn has(self, kind: u16) -> bool {
        self.bytes(kind).is_some()
    }

    /// The attributes that an attribute consists of; none where it is missing.
    pub(crate) fn within(self, kind: u16) -> Self {
        Self(self.bytes(kind).unwrap_or_default())
    }

    /// A number of `N` bytes, to be read in the order it has: `.array(kind).map(u16::from_be_bytes)`.
    pub(crate) fn array<const N: usize>(self, kind: u16) -> Option<[u8; N]> {
        self.bytes(kind)?.first_chunk().copied()
    }

    pub(crate) fn u32(self, kind: u16) -> Option<u32> {
        self.array(kind).map(u32::from_ne_bytes)
    }

    pub(crate) fn ip(self, kind: u16) -> Option<IpAddr> {
        ip(self.bytes(kind)?)
    }

    /// A name ends with a zero byte.
    pub(crate) fn text(self, kind: u16) -> Option<&'a str> {
        let bytes = self.bytes(kind)?;
        std::str::from_utf8(bytes.strip_suffix(&[0]).unwrap_or(bytes)).ok()
    }
}

/// Addresses have no family of their own here: their length tells.
pub(crate) fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    v4().or_else(|_| v6()).ok()
}

/// What another implementation writes, as read here.
#[cfg(test)]
pub(crate) fn reread<M: Parseable<[u8]>>(written: &impl Emitable) -> M {
    let mut bytes = vec![0; written.buffer_len()];
    written.emit(&mut bytes);
    M::parse(&bytes).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of one word, then attributes.
    fn message(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![9, 0, 0, 0];
        for (kind, value) in attributes {
            let length = u16::try_from(ATTRIBUTE_HEADER + value.len()).unwrap();
            bytes.extend(length.to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn values_are_read_as_what_they_are_asked_for() {
        let inner = message(&[(1, &7_u32.to_ne_bytes())]);
        let bytes = message(&[
            (1, b"eth0\0"),
            (2, &[10, 0, 0, 1]),
            (3, &[0x12, 0xb5]),
            // Marked as consisting of attributes (NLA_F_NESTED).
            (0x8000 | 4, &inner[4..]),
        ]);
        let read = Message::<[u8; 4], 4>::parse(&bytes).unwrap();
        let all = read.attributes();
        assert_eq!(read.header, [9, 0, 0, 0]);
        assert_eq!(all.text(1), Some("eth0"));
        assert_eq!(all.ip(2), Some(IpAddr::from([10, 0, 0, 1])));
        assert_eq!(all.array(3).map(u16::from_be_bytes), Some(4789));
        assert_eq!(all.within(4).u32(1), Some(7));
        // Missing, or too short for what is asked for.
        assert_eq!((all.u32(5), all.u32(3), all.ip(1)), (None, None, None));
        assert_eq!(all.within(5).u32(1), None);
    }

    #[test]
    fn a_message_that_breaks_off_is_an_error() {
        let whole = message(&[(1, &[1, 2, 3, 4])]);
        assert!(Message::<[u8; 4], 4>::parse(&whole).is_ok());
        for length in (0..4).chain(5..whole.len()) {
            assert!(
                Message::<[u8; 4], 4>::parse(&whole[..length]).is_err(),
                "{length}"
            );
        }
    }

    #[test]
    fn a_query_names_its_family_alone() {
        let mut bytes = [0; 12];
        Query::<12> { family: 2 }.emit(&mut bytes);
        assert_eq!(bytes, [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}
