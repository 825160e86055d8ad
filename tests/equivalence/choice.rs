//! The choices of a generator, stored so that they can be repeated and reduced.
//!
//! A case is a list of numbers. Shorter lists and smaller numbers give simpler statements: a generator's first option
//! is the simplest, and a missing number counts as zero.

/// The source of choices: a list, and after its end a random generator, or zero.
pub(crate) struct Choices {
    made: Vec<u32>,
    at: usize,
    random: Option<Random>,
}

/// `SplitMix64`.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Choices {
    pub(crate) fn random(seed: u64) -> Self {
        Self {
            made: Vec::new(),
            at: 0,
            random: Some(Random(seed)),
        }
    }

    pub(crate) fn again(made: &[u32]) -> Self {
        Self {
            made: made.to_vec(),
            at: 0,
            random: None,
        }
    }

    /// The choices that were made.
    pub(crate) fn into_made(mut self) -> Vec<u32> {
        self.made.truncate(self.at);
        self.made
    }

    /// One of `n` options; 0 is the simplest.
    pub(crate) fn pick(&mut self, of: usize) -> usize {
        let of = u64::try_from(of.max(1)).unwrap();
        if self.at == self.made.len() {
            let number = self.random.as_mut().map_or(0, |random| random.next() % of);
            self.made.push(u32::try_from(number).unwrap());
        }
        let number = u64::from(self.made[self.at]) % of;
        self.at += 1;
        usize::try_from(number).unwrap()
    }

    /// True in one of `n` cases.
    pub(crate) fn one_in(&mut self, of: usize) -> bool {
        self.pick(of) == of - 1 && of > 1
    }

    pub(crate) fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.pick(items.len())]
    }

    /// A position, chosen by weight.
    pub(crate) fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut number = self.pick(weights.iter().sum());
        for (at, weight) in weights.iter().enumerate() {
            if number < *weight {
                return at;
            }
            number -= weight;
        }
        0
    }

    /// Some of the items, in their order, at least one.
    pub(crate) fn some<T: Copy>(&mut self, items: &[T]) -> Vec<T> {
        let mut some: Vec<T> = items
            .iter()
            .copied()
            .filter(|_| self.pick(2) == 1)
            .collect();
        if some.is_empty() {
            some.push(*self.of(items));
        }
        some
    }
}
