//! Sets of numbered things, and conditions over them that may be open.

/// A set of the numbers below a length.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Bits {
    words: Vec<u64>,
    length: usize,
}

/// For each number: holds, may hold, or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tri {
    pub yes: Bits,
    /// Disjoint from `yes`.
    pub maybe: Bits,
}

// === impl Bits ===

impl Bits {
    pub(super) fn none(length: usize) -> Self {
        Self {
            words: vec![0; length.div_ceil(64)],
            length,
        }
    }

    pub(super) fn all(length: usize) -> Self {
        let mut bits = Self {
            words: vec![u64::MAX; length.div_ceil(64)],
            length,
        };
        bits.trim();
        bits
    }

    /// Those that a condition holds for.
    pub(super) fn where_holds(length: usize, mut holds: impl FnMut(usize) -> bool) -> Self {
        let mut bits = Self::none(length);
        for (position, word) in bits.words.iter_mut().enumerate() {
            let first = position * 64;
            for bit in 0..64.min(length - first) {
                *word |= u64::from(holds(first + bit)) << bit;
            }
        }
        bits
    }

    fn trim(&mut self) {
        let rest = self.length % 64;
        if let (Some(last), 1..) = (self.words.last_mut(), rest) {
            *last &= (1 << rest) - 1;
        }
    }

    pub(super) fn insert(&mut self, number: usize) {
        self.words[number / 64] |= 1 << (number % 64);
    }

    pub(super) fn has(&self, number: usize) -> bool {
        self.words[number / 64] >> (number % 64) & 1 == 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.zip(other, |one, other| one | other);
    }

    pub(super) fn keep(&mut self, other: &Self) {
        self.zip(other, |one, other| one & other);
    }

    pub(super) fn drop(&mut self, other: &Self) {
        self.zip(other, |one, other| one & !other);
    }

    /// What is in both.
    pub(super) fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.keep(other);
        both
    }

    /// What is only in this one.
    pub(super) fn without(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.drop(other);
        rest
    }

    fn zip(&mut self, other: &Self, merge: impl Fn(u64, u64) -> u64) {
        for (one, other) in self.words.iter_mut().zip(&other.words) {
            *one = merge(*one, *other);
        }
    }

    pub(super) fn inverted(mut self) -> Self {
        self.words.iter_mut().for_each(|word| *word = !*word);
        self.trim();
        self
    }

    /// The numbers in it, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        let words = self.words.iter().enumerate();
        words.flat_map(|(position, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros();
                (left != 0).then(|| {
                    left &= left - 1;
                    position * 64 + bit as usize
                })
            })
        })
    }
}

// === impl Tri ===

impl Tri {
    pub(super) fn no(length: usize) -> Self {
        Self {
            yes: Bits::none(length),
            maybe: Bits::none(length),
        }
    }

    pub(super) fn yes(length: usize) -> Self {
        Self {
            yes: Bits::all(length),
            maybe: Bits::none(length),
        }
    }

    pub(super) fn unclear(length: usize) -> Self {
        Self {
            yes: Bits::none(length),
            maybe: Bits::all(length),
        }
    }

    pub(super) const fn certain(yes: Bits, maybe: Bits) -> Self {
        Self { yes, maybe }
    }

    pub(super) fn and(&mut self, other: &Self) {
        for ((yes, maybe), (other_yes, other_maybe)) in self.words_mut().zip(other.words()) {
            let possible = (*yes | *maybe) & (other_yes | other_maybe);
            *yes &= other_yes;
            *maybe = possible & !*yes;
        }
    }

    pub(super) fn or(&mut self, other: &Self) {
        for ((yes, maybe), (other_yes, other_maybe)) in self.words_mut().zip(other.words()) {
            *yes |= other_yes;
            *maybe = (*maybe | other_maybe) & !*yes;
        }
    }

    fn words_mut(&mut self) -> impl Iterator<Item = (&mut u64, &mut u64)> {
        self.yes.words.iter_mut().zip(&mut self.maybe.words)
    }

    fn words(&self) -> impl Iterator<Item = (u64, u64)> {
        self.yes
            .words
            .iter()
            .copied()
            .zip(self.maybe.words.iter().copied())
    }

    /// A rule hits those of `left` for which it holds; it decides those for which it surely holds.
    pub(super) fn hit(&self, is_certain: bool, left: &mut Bits, outcome: &mut Bits) {
        let words = left
            .words
            .iter_mut()
            .zip(&mut outcome.words)
            .zip(self.words());
        for ((left, outcome), (yes, maybe)) in words {
            *outcome |= *left & (yes | maybe);
            if is_certain {
                *left &= !yes;
            }
        }
    }

    pub(super) fn negate(mut self) -> Self {
        self.yes.add(&self.maybe);
        self.yes = self.yes.inverted();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_behave() {
        let odd = Bits::where_holds(130, |number| number % 2 == 1);
        assert_eq!(odd.iter().count(), 65);
        assert!(odd.has(129) && !odd.has(128));
        let even = odd.clone().inverted();
        assert_eq!(even.iter().last(), Some(128));
        let mut shared = even.clone();
        shared.keep(&odd);
        assert!(shared.is_empty());
        let mut all = even;
        all.add(&odd);
        assert_eq!(all, Bits::all(130));
    }

    #[test]
    fn doubt_is_kept_apart() {
        let tri = |yes: bool, maybe: bool| {
            Tri::certain(
                Bits::where_holds(1, |_| yes),
                Bits::where_holds(1, |_| maybe),
            )
        };
        let (no, maybe, yes) = (tri(false, false), tri(false, true), tri(true, false));
        for (one, other, both, either) in [
            (&no, &maybe, &no, &maybe),
            (&maybe, &yes, &maybe, &yes),
            (&yes, &yes, &yes, &yes),
            (&maybe, &maybe, &maybe, &maybe),
        ] {
            let (mut all, mut any) = (one.clone(), one.clone());
            all.and(other);
            any.or(other);
            assert_eq!((&all, &any), (both, either));
        }
        assert_eq!(maybe.clone().negate(), maybe);
        assert_eq!(no.clone().negate(), yes);
        for (tri, is_certain, expected) in [
            (&yes, true, (false, true)),
            (&yes, false, (true, true)),
            (&maybe, true, (true, true)),
            (&no, true, (true, false)),
        ] {
            let (mut left, mut outcome) = (Bits::all(1), Bits::none(1));
            tri.hit(is_certain, &mut left, &mut outcome);
            assert_eq!((left.has(0), outcome.has(0)), expected);
        }
    }
}
