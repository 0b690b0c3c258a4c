//! Where addresses are, from databases in MaxMind's format (`.mmdb`): GeoLite2, GeoIP2, DB-IP and others.
//!
//! [`Databases`] is a [`Gazetteer`] over any number of files, because countries and autonomous systems usually come in two.
//! A file is read whole when it is opened. What it contains is not trusted: a damaged entry is one that is not known.
//!
//! nfdump's own geo files, which its `geolookup` makes of MaxMind's tables, are a format of their own and are not read.
#![forbid(unsafe_code)]

use flow_model::Gazetteer;
use maxminddb::{MaxMindDbError, PathElement, Reader};
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Databases, the first one that knows something counts.
pub struct Databases {
    readers: Vec<Reader<Vec<u8>>>,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GeoError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is made by nfdump's `geolookup`.
    #[error("{} is in nfdump's own format, of which nothing is read: -G takes MaxMind's .mmdb", path.display())]
    OfNfdump {
        /// The file.
        path: PathBuf,
    },
    /// The file is in another format, or damaged.
    #[error("{}: no database in MaxMind's format: {source}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: MaxMindDbError,
    },
}

/// What every file of nfdump's begins with.
const NFDUMP_MAGIC: [u8; 2] = [0xa5, 0x0c];

impl Databases {
    /// Reads databases.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn open<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Databases, GeoError> {
        let readers = paths.into_iter().map(|path| open(path.as_ref())).collect::<Result<_, _>>()?;
        Ok(Databases { readers })
    }

    fn text(&self, addr: IpAddr, path: &[PathElement<'_>]) -> Option<String> {
        let text = |reader: &Reader<Vec<u8>>| reader.lookup(addr).ok()?.decode_path(path).ok()?;
        self.readers.iter().find_map(text)
    }

    fn degrees(&self, addr: IpAddr, name: &'static str) -> Option<f64> {
        let path = [PathElement::Key("location"), PathElement::Key(name)];
        let number = |reader: &Reader<Vec<u8>>| reader.lookup(addr).ok()?.decode_path(&path).ok()?;
        self.readers.iter().find_map(number)
    }
}

fn open(path: &Path) -> Result<Reader<Vec<u8>>, GeoError> {
    let octets = std::fs::read(path).map_err(|source| GeoError::Read { path: path.to_owned(), source })?;
    if octets.starts_with(&NFDUMP_MAGIC) {
        return Err(GeoError::OfNfdump { path: path.to_owned() });
    }
    Reader::from_source(octets).map_err(|source| GeoError::Invalid { path: path.to_owned(), source })
}

impl fmt::Debug for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.readers.iter().map(|reader| &reader.metadata().database_type)).finish()
    }
}

impl Gazetteer for Databases {
    fn country(&self, addr: IpAddr) -> Option<[u8; 2]> {
        let of = |what| self.text(addr, &[PathElement::Key(what), PathElement::Key("iso_code")]);
        let letters: [u8; 2] =
            of("country").or_else(|| of("registered_country"))?.into_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_alphabetic).then(|| letters.map(|letter| letter.to_ascii_uppercase()))
    }

    fn organisation(&self, addr: IpAddr) -> Option<String> {
        self.text(addr, &[PathElement::Key("autonomous_system_organization")])
    }

    fn location(&self, addr: IpAddr) -> Option<String> {
        let name = |what| {
            self.text(addr, &[PathElement::Key(what), PathElement::Key("names"), PathElement::Key("en")])
        };
        let names: Vec<String> = ["continent", "country", "city"].into_iter().filter_map(name).collect();
        let place = self.degrees(addr, "longitude").zip(self.degrees(addr, "latitude"));
        match (names.is_empty(), place) {
            (true, None) => None,
            (false, None) => Some(names.join("/")),
            (_, Some((longitude, latitude))) => {
                Some(format!("{} long/lat: {longitude:.4}/{latitude:.4}", names.join("/")))
            }
        }
    }

    fn time_zone(&self, addr: IpAddr) -> Option<String> {
        self.text(addr, &[PathElement::Key("location"), PathElement::Key("time_zone")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_testkit::mmdb;

    fn databases(dir: &Path) -> Databases {
        let paths = [("city", mmdb::CITY), ("asn", mmdb::ASN)].map(|(name, networks)| {
            let path = dir.join(name);
            std::fs::write(&path, mmdb::write(networks)).unwrap();
            path
        });
        Databases::open(paths).unwrap()
    }

    #[test]
    fn the_first_database_that_knows_answers() {
        let dir = tempfile::tempdir().unwrap();
        let databases = databases(dir.path());
        let [zurich, elsewhere, v6]: [IpAddr; 3] =
            ["192.0.2.77", "198.51.100.1", "2001:db8::1"].map(|text| text.parse().unwrap());
        assert_eq!(databases.country(zurich), Some(*b"CH"));
        assert_eq!(databases.organisation(zurich).as_deref(), Some("Example Networks"));
        let place = "Europe/Switzerland/Zurich long/lat: 8.5500/47.3667";
        assert_eq!(databases.location(zurich).as_deref(), Some(place));
        assert_eq!(databases.time_zone(zurich).as_deref(), Some("Europe/Zurich"));
        assert_eq!(databases.country(v6), Some(*b"SE"));
        assert_eq!(databases.location(v6), None);
        assert_eq!((databases.country(elsewhere), databases.organisation(elsewhere)), (None, None));
    }

    #[test]
    fn what_is_no_database_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let error = |octets: &[u8]| {
            std::fs::write(&path, octets).unwrap();
            Databases::open([&path])
                .unwrap_err()
                .to_string()
                .replace(&format!("{}/", dir.path().display()), "")
        };
        assert_eq!(
            error(&[0xa5, 0x0c, 2, 0]),
            "db is in nfdump's own format, of which nothing is read: -G takes MaxMind's .mmdb"
        );
        assert!(error(b"").starts_with("db: no database in MaxMind's format: "));
        let missing = Databases::open([dir.path().join("none")]).unwrap_err();
        assert!(matches!(missing, GeoError::Read { .. }));
    }

    #[test]
    fn damage_yields_nothing_and_no_panic() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let whole = mmdb::write(mmdb::CITY);
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xff;
            std::fs::write(&path, &damaged).unwrap();
            let Ok(databases) = Databases::open([&path]) else { continue };
            for addr in ["192.0.2.77", "2001:db8::1", "255.255.255.255"] {
                let addr = addr.parse().unwrap();
                let _ = (databases.country(addr), databases.location(addr), databases.time_zone(addr));
            }
        }
    }
}
