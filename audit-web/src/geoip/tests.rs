use std::error::Error;
use std::path::PathBuf;

use super::writer::{Data, database};
use super::{GeoIp, GeoIpError, Place};

type Outcome = Result<(), Box<dyn Error>>;

/// A file that is removed at the end of the test.
struct File(PathBuf);

impl File {
    fn with(bytes: &[u8]) -> std::io::Result<Self> {
        let name = format!("sea-orm-audit-{}.mmdb", uuid::Uuid::now_v7());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes)?;
        Ok(Self(path))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn open(bytes: &[u8]) -> Result<GeoIp, Box<dyn Error>> {
    Ok(GeoIp::open(&File::with(bytes)?.0)?)
}

fn country(code: &str) -> (&'static str, Data<'_>) {
    ("country", Data::Map(vec![("iso_code", Data::Text(code))]))
}

fn city(name: &str) -> (&'static str, Data<'_>) {
    let names = Data::Map(vec![("de", Data::Text("Stadt")), ("en", Data::Text(name))]);
    ("city", Data::Map(vec![("names", names)]))
}

fn cities() -> Result<Vec<u8>, Box<dyn Error>> {
    let long = "x".repeat(200);
    let records = [
        ("192.0.2.0/24", vec![country("GB"), city("London")]),
        ("198.51.100.0/25", vec![country("FR")]),
        ("2001:db8::/32", vec![city("Zürich"), country("CH")]),
        ("203.0.113.1/32", vec![("traits", Data::Map(vec![]))]),
        (
            "203.0.113.2/32",
            vec![country("G\nB"), city("a\x1b[31m\u{202e}b")],
        ),
        ("203.0.113.3/32", vec![country("XX"), city(&long)]),
        (
            "203.0.113.4/32",
            vec![("country", Data::Text("DE")), city("Berlin")],
        ),
    ];
    let records: Vec<_> = records
        .into_iter()
        .map(|(network, entries)| Ok((network.parse()?, Data::Map(entries))))
        .collect::<Result<_, Box<dyn Error>>>()?;
    Ok(database("GeoLite2-City", 6, &records))
}

fn lookup(geo: &GeoIp, address: &str) -> Result<Option<Place>, Box<dyn Error>> {
    Ok(geo.lookup(address.parse()?))
}

fn place(country: Option<&str>, city: Option<&str>) -> Place {
    Place {
        country: country.map(str::to_owned),
        city: city.map(str::to_owned),
    }
}

#[test]
fn address_has_a_country_and_a_city() -> Outcome {
    let geo = open(&cities()?)?;
    let london = Some(place(Some("GB"), Some("London")));
    assert_eq!(lookup(&geo, "192.0.2.60")?, london);
    assert_eq!(lookup(&geo, "::ffff:192.0.2.60")?, london);
    let zurich = Some(place(Some("CH"), Some("Zürich")));
    assert_eq!(lookup(&geo, "2001:db8::7")?, zurich);
    assert_eq!(lookup(&geo, "198.51.100.7")?, Some(place(Some("FR"), None)));
    Ok(())
}

#[test]
fn address_that_is_not_in_the_database_is_nowhere() -> Outcome {
    let geo = open(&cities()?)?;
    for address in ["198.51.100.128", "192.0.3.1", "2001:db9::1", "203.0.113.1"] {
        assert_eq!(lookup(&geo, address)?, None, "{address}");
    }
    Ok(())
}

#[test]
fn database_of_countries_gives_countries() -> Outcome {
    let records = [("192.0.2.0/24".parse()?, Data::Map(vec![country("GB")]))];
    let geo = open(&database("GeoLite2-Country", 4, &records))?;
    assert_eq!(lookup(&geo, "192.0.2.60")?, Some(place(Some("GB"), None)));
    assert_eq!(lookup(&geo, "2001:db8::7")?, None, "it has no IPv6");
    assert!(format!("{geo:?}").contains("GeoLite2-Country"));
    Ok(())
}

#[test]
fn place_names_are_bounded_and_sanitized() -> Outcome {
    let geo = open(&cities()?)?;
    assert_eq!(
        lookup(&geo, "203.0.113.2")?,
        Some(place(Some("G…"), Some("a␛[31m\u{fffd}b")))
    );
    let long = lookup(&geo, "203.0.113.3")?.and_then(|place| place.city);
    assert_eq!(long.map(|city| city.chars().count()), Some(128));
    Ok(())
}

#[test]
fn record_of_another_form_gives_what_can_be_read() -> Outcome {
    let geo = open(&cities()?)?;
    assert_eq!(
        lookup(&geo, "203.0.113.4")?,
        Some(place(None, Some("Berlin")))
    );
    Ok(())
}

#[test]
fn damaged_database_never_fails_a_lookup() -> Outcome {
    let good = cities()?;
    for damaged in 0..good.len() {
        let mut bytes = good.clone();
        bytes[damaged] ^= 0xff;
        if let Ok(geo) = open(&bytes) {
            for address in ["192.0.2.60", "203.0.113.2", "2001:db8::7"] {
                lookup(&geo, address)?;
            }
        }
    }
    Ok(())
}

#[test]
fn file_that_cannot_be_used_is_named() -> Outcome {
    let missing = std::env::temp_dir().join("no-such-directory/city.mmdb");
    let error = GeoIp::open(&missing).err();
    assert!(matches!(&error, Some(GeoIpError::Unreadable { path, .. }) if *path == missing));
    let message = error.map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("city.mmdb"), "{message}");

    let file = File::with(b"\x1f\x8b, not unpacked")?;
    let error = GeoIp::open(&file.0).err();
    assert!(matches!(&error, Some(GeoIpError::NoDatabase { .. })));
    assert!(error.is_some_and(|error| error.source().is_some()));
    Ok(())
}
