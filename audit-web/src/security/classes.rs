//! One look at every byte, to learn whether a text deserves a closer one.

/// The byte is part of a word (a letter or a digit).
pub(super) const WORD: u8 = 1;
/// The byte changes when the path is decoded.
pub(super) const PATH_ENCODED: u8 = 1 << 1;
/// The byte changes when the query is decoded.
pub(super) const QUERY_ENCODED: u8 = 1 << 2;
/// No default pattern is tried on a path that has no such byte.
pub(super) const PATH_SPECIAL: u8 = 1 << 3;
/// No default pattern is tried on a query that has no such byte.
pub(super) const QUERY_SPECIAL: u8 = 1 << 4;
/// No default pattern is tried on an agent that has no such byte.
pub(super) const AGENT_SPECIAL: u8 = 1 << 5;
/// The byte is a dot, two of which can climb.
pub(super) const DOT: u8 = 1 << 6;

static CLASSES: [u8; 256] = table();

/// Returns the class bits of one byte.
pub(super) fn class(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

/// Returns the class bits of all bytes together.
pub(super) fn classes(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |seen, byte| seen | class(*byte))
}

const fn table() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        // Bytes beyond ASCII are only read for overlong forms of ASCII, which start with 0xC0.
        if byte >= 0x80 {
            table[byte] = PATH_ENCODED | QUERY_ENCODED;
        } else if byte < 0x20 || byte == 0x7f {
            table[byte] = PATH_SPECIAL | QUERY_SPECIAL | PATH_ENCODED | QUERY_ENCODED;
        }
        byte += 1;
    }
    table = mark(table, b"0123456789abcdefghijklmnopqrstuvwxyz", WORD);
    table = mark(table, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", WORD);
    table = mark(table, b"%\\", PATH_ENCODED);
    table = mark(table, b"%+&", QUERY_ENCODED);
    table = mark(table, b"%\\'\"<>($`{|;*+#: ", PATH_SPECIAL);
    table = mark(table, b"%\\'\"<>($`{|;*+#/ )", QUERY_SPECIAL);
    table = mark(table, b".", DOT);
    mark(table, b"\\'\"<$`{|", AGENT_SPECIAL)
}

const fn mark(mut table: [u8; 256], bytes: &[u8], bit: u8) -> [u8; 256] {
    let mut index = 0;
    while index < bytes.len() {
        table[bytes[index] as usize] |= bit;
        index += 1;
    }
    table
}
