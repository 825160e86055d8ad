//! Encoded bytes that wait to be written, and where their records end.

/// Encoded bytes, and the places in them where records end.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) bytes: Vec<u8>,
    /// The length up to a place, and how many records end there.
    ends: Vec<(usize, u64)>,
}

impl Chunk {
    /// So many more records end here.
    pub(crate) fn mark(&mut self, records: u64) {
        self.ends.push((self.bytes.len(), records));
    }

    /// How many records end within the first bytes.
    pub(crate) fn records_within(&self, bytes: usize) -> u64 {
        let within = self.ends.iter().take_while(|(end, _)| *end <= bytes);
        within.map(|(_, records)| records).sum()
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        // A record of many megabytes is rare.
        self.bytes.shrink_to(1 << 20);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_counts_when_its_last_byte_is_written() {
        let mut chunk = Chunk::default();
        chunk.bytes.extend(b"abc");
        chunk.mark(1);
        chunk.bytes.extend(b"defg");
        chunk.mark(2);
        let within = [0, 2, 3, 6, 7, 9].map(|bytes| chunk.records_within(bytes));
        assert_eq!(within, [0, 0, 1, 1, 3, 3]);
    }
}
