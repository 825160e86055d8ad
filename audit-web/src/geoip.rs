//! The location of an address, from a database (`.mmdb`) that the operator provides.
//!
//! It reads `country.iso_code` and `city.names.en`, as `GeoLite2`, `GeoIP2` and DB-IP store them (`MaxMind` DB file
//! format 2.0); databases of countries only have no city. It makes no network requests. The location is an estimate
//! of the database's makers: this module never makes another operation fail.
//!
//! | item | when |
//! |---|---|
//! | [`GeoIp`] | to open a database, for `AuditedBackend::places` or for your own lookups |
//! | [`Place`] | the result of a lookup |
//! | [`GeoIpError`] | why it could not be opened |

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use maxminddb::{Reader, path};

use sea_orm_audit_core::clean_text as clean;

/// The maximum length of a stored city name, in characters.
const CITY_CHARS: usize = 128;

/// A database that maps addresses to locations. Clones share it.
///
/// # Examples
/// ```no_run
/// use sea_orm_audit_web::geoip::GeoIp;
///
/// let geo = GeoIp::open("GeoLite2-City.mmdb")?;
/// if let Some(place) = geo.lookup("81.2.69.142".parse()?) {
///     assert_eq!(place.country.as_deref(), Some("GB"));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct GeoIp {
    reader: Arc<Reader<Vec<u8>>>,
}

/// The location of an address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Place {
    /// The country's two letters (ISO 3166-1), such as `GB`.
    pub country: Option<String>,
    /// The city's name in English.
    pub city: Option<String>,
}

impl GeoIp {
    /// Reads the whole file into memory; call it again to load a newer file.
    ///
    /// # Errors
    /// Returns [`GeoIpError`] when the file cannot be read or is not a valid database.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, GeoIpError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| GeoIpError::Unreadable {
            path: path.into(),
            source,
        })?;
        let reader = Reader::from_source(bytes).map_err(|source| GeoIpError::NoDatabase {
            path: path.into(),
            source: source.into(),
        })?;
        Ok(Self {
            reader: Arc::new(reader),
        })
    }

    /// The location of the address; `None` when the database has none, or is damaged there.
    #[must_use]
    pub fn lookup(&self, address: IpAddr) -> Option<Place> {
        // An IPv4 database returns an error for an IPv6 address, and knows `::ffff:1.2.3.4` only as IPv4.
        let found = self.reader.lookup(address.to_canonical()).ok()?;
        let text = |path: &[_], max| {
            let text = found.decode_path::<&str>(path).ok()??;
            (!text.is_empty()).then(|| clean(text, max).into_owned())
        };
        let place = Place {
            country: text(&path!["country", "iso_code"], 2),
            city: text(&path!["city", "names", "en"], CITY_CHARS),
        };
        (place != Place::default()).then_some(place)
    }
}

impl fmt::Debug for GeoIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeoIp")
            .field("database", &self.reader.metadata().database_type)
            .finish_non_exhaustive()
    }
}

/// A database that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GeoIpError {
    /// The file cannot be read.
    #[error("the GeoIP database `{}` cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is not a valid database.
    #[error("`{}` is no database in MaxMind's format (.mmdb): unpack it, or download it again", path.display())]
    NoDatabase {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod writer;
