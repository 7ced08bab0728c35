//! `/proc/net/stat/nf_conntrack` or `conntrack -S`: what the connection tracking of a node has counted.
//!
//! It counts since the machine started, so that one reading shows what happened at some time, and two
//! show what goes on. A file may hold several readings, one after the other.

/// What was counted, over all processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Packets that belong to no connection: outside of its window, say.
    pub invalid: u64,
    /// Connections that could not be noted, since another one had the same addresses and ports in the
    /// meantime. Their packet is dropped (`nf_ct_resolve_clash`).
    pub insert_failed: u64,
}

/// Readings in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConntrackStats(Vec<Counted>);

// === impl ConntrackStats ===

impl ConntrackStats {
    /// Reads both notations: a table of hexadecimal columns below their names, and words
    /// `name=number`. Lines that are neither are passed over.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut readings: Vec<Counted> = Vec::new();
        let mut columns: Vec<&str> = Vec::new();
        for line in text.lines() {
            let words = || line.split_ascii_whitespace();
            let is_first_processor = words().next() == Some("cpu=0");
            if line.starts_with("entries ") {
                columns = words().collect();
                readings.push(Counted::default());
                continue;
            }
            if is_first_processor {
                readings.push(Counted::default());
            }
            let Some(reading) = readings.last_mut() else {
                continue;
            };
            if line.starts_with("cpu=") {
                for (name, number) in words().filter_map(|word| word.split_once('=')) {
                    reading.add(name, number.parse().ok());
                }
            } else {
                for (name, number) in columns.iter().zip(words()) {
                    reading.add(name, u64::from_str_radix(number, 16).ok());
                }
            }
        }
        Self(readings)
    }

    /// What was counted between the first reading and the last; none of fewer than two.
    #[must_use]
    pub fn growth(&self) -> Option<Counted> {
        let (first, rest) = self.0.split_first()?;
        let last = rest.last()?;
        Some(Counted {
            invalid: last.invalid.saturating_sub(first.invalid),
            insert_failed: last.insert_failed.saturating_sub(first.insert_failed),
        })
    }
}

// === impl Counted ===

impl Counted {
    fn add(&mut self, name: &str, number: Option<u64>) {
        let field = match name {
            "invalid" => &mut self.invalid,
            "insert_failed" => &mut self.insert_failed,
            _ => return,
        };
        *field = field.saturating_add(number.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart\n";

    #[test]
    fn one_reading_does_not_grow_and_two_do() {
        let line = |invalid: &str, failed: &str| {
            format!(
                "00000010 00000000 00000000 00000000 {invalid} 00000000 00000000 00000000 00000000 {failed} 00000000 00000000 00000000  00000000 00000000 00000000 00000000\n"
            )
        };
        let first = format!(
            "{HEADER}{}{}",
            line("0000000a", "00000001"),
            line("00000001", "00000000")
        );
        assert_eq!(ConntrackStats::read(&first).growth(), None);
        let second = format!(
            "{HEADER}{}{}",
            line("00000010", "00000001"),
            line("00000001", "00000002")
        );
        let growth = ConntrackStats::read(&(first + &second)).growth();
        assert_eq!(
            growth,
            Some(Counted {
                invalid: 6,
                insert_failed: 2
            })
        );
    }

    #[test]
    fn the_words_of_the_tool() {
        let text = "cpu=0   \tfound=1 invalid=7 insert=0 insert_failed=1 drop=1\ncpu=1 found=0 invalid=0 insert_failed=0\n\
            cpu=0 found=1 invalid=7 insert_failed=5\ncpu=1 found=0 invalid=2 insert_failed=0\n";
        let growth = ConntrackStats::read(text).growth();
        assert_eq!(
            growth,
            Some(Counted {
                invalid: 2,
                insert_failed: 4
            })
        );
        assert_eq!(ConntrackStats::read("junk\ncpu=x\n").growth(), None);
    }
}
