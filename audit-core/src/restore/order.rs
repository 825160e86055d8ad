//! The order of the writes of an undo.
//!
//! They go backwards through what is undone. Rows that one statement deleted together have their records in an order
//! that says nothing of foreign keys: so a row that others refer to is inserted before them.

/// Indexes of `count` writes that are in backward order already: each after those that it needs.
pub(super) fn ordered(count: usize, needs: impl Fn(usize) -> Vec<usize>) -> Vec<usize> {
    let mut order = Vec::with_capacity(count);
    let mut seen = vec![false; count];
    for start in 0..count {
        // With its own stack: chains of rows may be long.
        let mut open = vec![(start, None::<Vec<usize>>)];
        while let Some((at, rest)) = open.pop() {
            let mut rest = match rest {
                Some(rest) => rest,
                None if seen[at] => continue,
                None => {
                    seen[at] = true;
                    needs(at)
                }
            };
            match rest.pop() {
                Some(next) => {
                    open.push((at, Some(rest)));
                    open.push((next, None));
                }
                None => order.push(at),
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_after_what_it_needs() {
        let needs = |at: usize| match at {
            0 => vec![2],
            2 => vec![3, 1],
            // A circle, which the database decides on.
            3 => vec![0],
            _ => Vec::new(),
        };
        assert_eq!(ordered(5, needs), [1, 3, 2, 0, 4]);
        assert_eq!(ordered(3, |_| Vec::new()), [0, 1, 2]);
        let chain = |at: usize| {
            if at + 1 < 100_000 {
                vec![at + 1]
            } else {
                Vec::new()
            }
        };
        assert_eq!(ordered(100_000, chain)[0], 99_999);
    }
}
