use proptest::prelude::*;

use super::*;

type TestResult = Result<(), Box<dyn std::error::Error>>;

fn time(text: &str) -> DateTimeUtc {
    text.parse().unwrap()
}

/// A Thursday.
const NOW: &str = "2026-03-05T10:30:15.5Z";

/// The bounds as `begin/end`, without what is zero at their ends.
fn bounds(text: &str) -> String {
    let period: Period = text
        .parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    let (begin, end) = period.bounds(time(NOW));
    let show = |time: Option<DateTimeUtc>| {
        let text = time.map(|time| time.format("%Y-%m-%dT%H:%M:%S%.f").to_string());
        let text = text.unwrap_or_default();
        let text = text.strip_suffix(":00").unwrap_or(&text);
        text.strip_suffix("T00:00").unwrap_or(text).to_owned()
    };
    format!("{}/{}", show(begin), show(end))
}

/// The part of the text that is marked, and the message.
fn fault(text: &str) -> (String, String) {
    let error = text.parse::<Period>().expect_err(text);
    let message = error.to_string();
    let (_, message) = message.split_once("`: ").unwrap();
    (text[error.span()].to_owned(), message.to_owned())
}

#[test]
fn moment_covers_what_its_text_leaves_open() {
    for (text, expected) in [
        ("2026", "2026-01-01/2027-01-01"),
        ("2026-03", "2026-03-01/2026-04-01"),
        ("2026-12", "2026-12-01/2027-01-01"),
        ("2026-03-05", "2026-03-05/2026-03-06"),
        ("2024-02-29", "2024-02-29/2024-03-01"),
        ("2026-03-05T10", "2026-03-05T10:00/2026-03-05T11:00"),
        ("2026-03-05T10:30", "2026-03-05T10:30/2026-03-05T10:31"),
        (
            "2026-03-05T10:30:15",
            "2026-03-05T10:30:15/2026-03-05T10:30:16",
        ),
        (
            "2026-03-05T10:30:15.5",
            "2026-03-05T10:30:15.500/2026-03-05T10:30:15.600",
        ),
        (
            "2026-03-05T10:30:15.999999999",
            "2026-03-05T10:30:15.999999999/2026-03-05T10:30:16",
        ),
        ("2026-03-05T10:30Z", "2026-03-05T10:30/2026-03-05T10:31"),
        ("2026-03-05T01+02:00", "2026-03-04T23:00/2026-03-05"),
        (
            "2026-03-05T23:30:00-01:30",
            "2026-03-06T01:00/2026-03-06T01:00:01",
        ),
    ] {
        assert_eq!(bounds(text), expected, "{text}");
    }
}

#[test]
fn range_includes_the_whole_of_both_ends() {
    for (text, expected) in [
        ("2026-03..2026-04", "2026-03-01/2026-05-01"),
        ("2026-03..2026-03", "2026-03-01/2026-04-01"),
        ("2026-03-05..2026-03", "2026-03-05/2026-04-01"),
        ("2026..2026-03-05", "2026-01-01/2026-03-06"),
        ("2026-03..", "2026-03-01/"),
        ("..2026-03", "/2026-04-01"),
        (
            "2026-03-05T10..2026-03-05T10:15",
            "2026-03-05T10:00/2026-03-05T10:16",
        ),
    ] {
        assert_eq!(bounds(text), expected, "{text}");
    }
}

#[test]
fn comparison_is_with_the_whole_moment() {
    for (text, expected) in [
        (">2026-03", "2026-04-01/"),
        (">=2026-03", "2026-03-01/"),
        ("<2026-03", "/2026-03-01"),
        ("<=2026-03", "/2026-04-01"),
    ] {
        assert_eq!(bounds(text), expected, "{text}");
    }
}

#[test]
fn relative_period_is_relative_to_now() {
    for (text, expected) in [
        ("today", "2026-03-05/2026-03-06"),
        ("Yesterday", "2026-03-04/2026-03-05"),
        ("this-week", "2026-03-02/2026-03-09"),
        ("this-month", "2026-03-01/2026-04-01"),
        ("30m", "2026-03-05T10:00:15.500/"),
        ("24h", "2026-03-04T10:30:15.500/"),
        ("7D", "2026-02-26T10:30:15.500/"),
        ("99999d", "1752-05-21T10:30:15.500/"),
    ] {
        assert_eq!(bounds(text), expected, "{text}");
    }
}

#[test]
fn bounds_are_of_the_years_1_to_9999() -> TestResult {
    for (text, expected) in [
        ("0001", "0001-01-01/0002-01-01"),
        ("9999", "9999-01-01/"),
        ("9999-12-31T23:59:59", "9999-12-31T23:59:59/"),
        ("<=9999-12", "/"),
        ("<0001", "/0001-01-01"),
        ("9998..9999", "9998-01-01/"),
        ("9999-12-31T23:00-01:00..", ""),
        ("0001-01-01T00:00+02:00", ""),
    ] {
        match expected {
            "" => assert!(fault(text).1.contains("before the year 1"), "{text}"),
            _ => assert_eq!(bounds(text), expected, "{text}"),
        }
    }
    for now in [DateTimeUtc::MIN_UTC, DateTimeUtc::MAX_UTC] {
        for word in Period::WORDS {
            let (begin, end) = word.parse::<Period>()?.bounds(now);
            for bound in [begin, end].into_iter().flatten() {
                assert!((FIRST..END).contains(&bound), "{word}: {bound}");
            }
        }
    }
    Ok(())
}

#[test]
fn malformed_period_is_marked_at_its_place() {
    let form = "this is no period";
    for (text, place, message) in [
        ("", "", form),
        ("march", "march", form),
        ("yesteday", "yesteday", "did you mean `yesterday`?"),
        ("26-03", "26", "the year has 4 digits"),
        ("2026-3", "3", "the month has 2 digits"),
        ("2026-", "2026-", "the month has 2 digits"),
        ("2026-ü", "ü", "the month has 2 digits"),
        ("٢٠٢٦", "٢٠٢٦", form),
        ("0000", "0000", "the year is 1 to 9999"),
        ("10000", "10000", "the year has 4 digits"),
        ("-0001", "-0001", form),
        ("2026-13", "13", "the month is 1 to 12"),
        ("2026-02-30", "30", "2026-02 has 28 days"),
        ("2024-02-30", "30", "2024-02 has 29 days"),
        ("1900-02-29", "29", "1900-02 has 28 days"),
        ("2026-03-00", "00", "the day is 1 to 31"),
        ("2026-03-05T24:00", "24", "write the next day"),
        ("2026-03-05T25", "25", "the hour is 0 to 23"),
        ("2026-03-05T10:60", "60", "the minute is 0 to 59"),
        ("2026-03-05T23:59:60", "60", "no leap seconds"),
        ("2026-03-05T23:59:61", "61", "the second is 0 to 59"),
        (
            "2026-03-05T10:30:15.",
            "2026-03-05T10:30:15.",
            "1 to 9 digits",
        ),
        (
            "2026-03-05T10:30:15.1234567890",
            "1234567890",
            "1 to 9 digits",
        ),
        ("2026-03-05T10:30+2", "+2", "this is no offset"),
        ("2026-03-05T10:30+24:00", "+24:00", "this is no offset"),
        ("2026-03-05Z", "Z", "a day has no offset"),
        ("2026-03-05 10:30", " 10:30", "write `T`"),
        ("2026-03-05x", "x", form),
        ("..", "..", "a range has a begin or an end"),
        (
            "2026-04..2026-03",
            "2026-04..2026-03",
            "the range ends before it begins",
        ),
        ("2026-03..2026-13", "13", "the month is 1 to 12"),
        ("2026..2027..2028", "..2028", form),
        ("7d..today", "7d", "no end of a range"),
        ("2026..today", "today", "no end of a range"),
        (">9999", ">9999", "no time is after this"),
        (">=", ">=", form),
        (">=20", "20", "the year has 4 digits"),
        ("0d", "0", "the number is 1 to 99999"),
        ("100000d", "100000", "the number is 1 to 99999"),
        (
            "99999999999999999999m",
            "99999999999999999999",
            "1 to 99999",
        ),
        ("7w", "7", "the year has 4 digits"),
    ] {
        let (marked, problem) = fault(text);
        assert_eq!(marked, place, "{text}: {problem}");
        assert!(problem.contains(message), "{text}: {problem}");
    }
}

#[test]
fn time_outside_the_years_is_the_nearest_inside() -> TestResult {
    let now = time(NOW);
    let first = Period::since(DateTimeUtc::MIN_UTC);
    assert_eq!(first.to_string(), ">=0001-01-01T00:00:00Z");
    assert_eq!(first.bounds(now), (Some(FIRST), None));
    let last = Period::until(DateTimeUtc::MAX_UTC);
    assert_eq!(last.to_string(), "<9999-12-31T23:59:59.999999999Z");
    let leap = time("2016-12-31T23:59:60.5Z");
    let period = Period::until(leap);
    assert_eq!(period.to_string(), "<2016-12-31T23:59:59.999999999Z");
    assert_eq!(period.to_string().parse::<Period>()?, period);
    Ok(())
}

/// Digits of a time within the years 1 to 9999, in UTC, whatever its offset is.
fn seconds() -> impl Strategy<Value = (String, String)> {
    let date = (2..9999_u32, 1..=12_u32, 1..=28_u32);
    let clock = (0..24_u32, 0..60_u32, 0..60_u32, "(|\\.[0-9]{1,9})");
    let offset = "(Z|[+-](0[0-9]|1[0-9]|2[0-3]):[0-5][0-9])";
    (date, clock, offset).prop_map(|((y, m, d), (h, min, s, fraction), offset)| {
        let text = format!("{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}{fraction}{offset}");
        (text, fraction)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bounds_of_a_second_agree_with_rfc_3339((text, fraction) in seconds()) {
        let period: Period = text.parse()?;
        let begin = chrono::DateTime::parse_from_rfc3339(&text)?.to_utc();
        let digits = fraction.len().saturating_sub(1);
        let length = TimeDelta::nanoseconds(10_i64.pow(9 - u32::try_from(digits)?));
        prop_assert_eq!(period.bounds(time(NOW)), (Some(begin), Some(begin + length)));
    }

    #[test]
    fn period_is_written_as_it_was_read((first, _) in seconds(), (last, _) in seconds(), cut in 0..5_usize) {
        let cuts = [4, 7, 10, 13, 16];
        let (one, other) = (&first[..cuts[cut]], &last[..cuts[cut]]);
        let (early, late) = if one <= other { (one, other) } else { (other, one) };
        for text in [
            one.to_owned(),
            format!("{early}..{late}"),
            format!("{one}.."),
            format!("..{first}"),
            format!("<{first}"),
            format!(">={first}"),
        ] {
            // An offset of `-00:00` is written as `+00:00`.
            let text = text.replace("-00:00", "+00:00");
            prop_assert_eq!(text.parse::<Period>()?.to_string(), text);
        }
        if early != late {
            let reversed = format!("{late}..{early}");
            prop_assert!(reversed.parse::<Period>().is_err());
        }
    }

    #[test]
    fn any_text_is_a_period_or_an_error_within_it(
        text in "([0-9]{1,5}|[-.:TZz+<>= dhm]|today|ü|\\PC){0,12}"
    ) {
        match text.parse::<Period>() {
            Ok(period) => prop_assert_eq!(period.to_string().parse::<Period>()?, period),
            Err(error) => prop_assert!(text.get(error.span()).is_some(), "{text:?} {error:?}"),
        }
    }
}
