//! JSON numbers that are read as others: integers beyond 64 bits, and numbers beyond a double.

/// Whether a valid JSON text has a number that `serde_json` reads as another.
pub(super) fn loses_numbers(text: &str) -> bool {
    let mut bytes = text.bytes().enumerate();
    let mut start = None;
    while let Some((at, byte)) = bytes.next() {
        let is_part = byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        match (start, is_part) {
            (Some(first), false) => {
                if is_lost(&text[first..at]) {
                    return true;
                }
                start = None;
            }
            // The letters are of `true` and `false`.
            (None, true) if byte.is_ascii_digit() || byte == b'-' => start = Some(at),
            _ => {}
        }
        if byte == b'"' {
            while let Some((_, byte)) = bytes.next() {
                match byte {
                    b'\\' => {
                        bytes.next();
                    }
                    b'"' => break,
                    _ => {}
                }
            }
        }
    }
    start.is_some_and(|first| is_lost(&text[first..]))
}

fn is_lost(number: &str) -> bool {
    // A double holds every number of 15 digits.
    if number.len() <= 15 && !number.contains(['e', 'E']) {
        return false;
    }
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return false;
    }
    match serde_json::from_str::<f64>(number) {
        Ok(read) => digits(&format!("{read:e}")) != digits(number),
        Err(_) => true,
    }
}

/// The sign, the digits without zeros around them, and the power of ten of the last.
fn digits(number: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX / 2);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{}{fraction}", whole.trim_start_matches('-'));
    let kept = all.trim_end_matches('0');
    let dropped = i64::try_from(all.len() - kept.len()).unwrap_or(0);
    let decimals = i64::try_from(fraction.len()).unwrap_or(0);
    let kept = kept.trim_start_matches('0').to_owned();
    if kept.is_empty() {
        return (false, kept, 0);
    }
    (number.starts_with('-'), kept, exponent - decimals + dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_read_as_they_are_lose_nothing() {
        for text in [
            "18446744073709551615",
            "-9223372036854775808",
            r#"{"a": [0.1, 0.30000000000000004, 1e3, -1.5E-7, 100000000000000000000]}"#,
            r#"["18446744073709551616", "a\\\"18446744073709551617", true, null]"#,
            "1.7976931348623157e308",
            "0.0000000000000000000",
            "3.0000000000000000000000",
            "[]",
        ] {
            assert!(!loses_numbers(text), "{text}");
        }
    }

    #[test]
    fn numbers_that_are_read_as_others_are_lost() {
        for text in [
            "18446744073709551617",
            "-9223372036854775809",
            r#"{"a": 0.10000000000000000001}"#,
            r#"["\\", 9007199254740993.0]"#,
            "1e400",
            "[1, 123456789012345678901234567890]",
        ] {
            assert!(loses_numbers(text), "{text}");
        }
    }
}
