//! What is known about addresses, as opposed to flows.

use std::fmt::Debug;
use std::net::IpAddr;

/// Tells where addresses are and who runs them. What it does not know, or has no table for, is `None`.
pub trait Gazetteer: Debug + Send + Sync {
    /// The two capital letters of the address's country (ISO 3166-1).
    fn country(&self, addr: IpAddr) -> Option<[u8; 2]>;
    /// The organisation that runs the address's autonomous system.
    fn organisation(&self, addr: IpAddr) -> Option<String>;
    /// The address's place: continent, country, city, and latitude and longitude, as far as each is known.
    fn location(&self, addr: IpAddr) -> Option<String>;
    /// The address's time zone, such as `Europe/Zurich`.
    fn time_zone(&self, addr: IpAddr) -> Option<String>;
}

/// The number that stands for a country in a column: its letters, the first one the higher octet.
///
/// ```
/// assert_eq!(flow_model::country_letters(flow_model::country_number(*b"CH")), *b"CH");
/// assert_eq!(flow_model::country_letters(0), *b"..");
/// ```
pub fn country_number(letters: [u8; 2]) -> u64 {
    u16::from_be_bytes(letters).into()
}

/// The letters of a country's number; two dots for 0, no country.
pub fn country_letters(number: u64) -> [u8; 2] {
    match u16::try_from(number) {
        Ok(number @ 1..) => number.to_be_bytes(),
        _ => *b"..",
    }
}
