//! What a collector knows of its exporters, in a file beside their flows, for its next start.
//!
//! Two sections: what holds until something newer comes, and where sequences stood when the collector ended. The second
//! holds once: whoever reads the file cuts it off before the first datagram, in one step, so that a collector which is
//! killed afterwards never makes its successor count flows as missing that it had stored itself.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use flow_model::{LastDatagram, NameInfo, NameKind, RememberedExporter, RememberedTemplate, SamplerInfo};

use crate::columnar::cursor::{Cursor, put_addr, put_varint, unzigzag, zigzag};
use crate::columnar::layout::{CHECKSUM_LEN, checksum, verify};
use crate::error::{Damage, FileError};

/// The file's name in a data directory.
pub const COLLECTOR_STATE: &str = ".rcapd.state";

const MAGIC: [u8; 4] = *b"RDFs";

/// Readers refuse every other.
const VERSION: u16 = 1;

/// Magic, version, two octets of 0, length of the first section.
const HEADER_LEN: usize = 16;

/// Octets of the largest file. What all exporters can make a collector keep is of this order.
const MAX_LEN: u64 = 64 << 20;

/// Exporters have numbers of 16 bits.
const MAX_EXPORTERS: u64 = u16::MAX as u64;

/// The most of anything that an exporter has, and octets of anything.
const MAX_LISTED: u64 = 1 << 20;

/// Bits that say which optional parts an exporter has.
mod has {
    pub(super) const PORT: u8 = 1;
    pub(super) const AGENT: u8 = 2;
    pub(super) const INIT: u8 = 4;
    pub(super) const RULE: u8 = 8;
    pub(super) const COUNTS_ITSELF: u8 = 16;
}

/// What is known of exporters, in the form it has in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateImage(Vec<u8>);

impl StateImage {
    /// The form of `exporters`. Their sequences are a part of it if any has one.
    pub fn new(exporters: &[RememberedExporter]) -> StateImage {
        let mut out = Vec::from(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; HEADER_LEN - 6]);
        put_varint(exporters.len() as u64, &mut out);
        for exporter in exporters {
            put_exporter(exporter, &mut out);
        }
        let len = (out.len() - HEADER_LEN) as u64;
        out[8..HEADER_LEN].copy_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&checksum(&out).to_le_bytes());
        let lasting = out.len();
        let sequences = (0..).zip(exporters).filter_map(|(number, exporter)| Some((number, exporter.last?)));
        for (number, last) in sequences {
            put_last(number, last, &mut out);
        }
        if out.len() > lasting {
            let sum = checksum(&out[lasting..]);
            out.extend_from_slice(&sum.to_le_bytes());
        }
        StateImage(out)
    }

    /// A number that another image has only by chance.
    pub fn fingerprint(&self) -> u64 {
        checksum(&self.0)
    }

    /// Makes it the file at `path`, on disk and in one step, in place of the one that is there.
    ///
    /// # Errors
    /// When it is too large, or the system refuses; then the older file stays.
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        let found = self.0.len() as u64;
        if found > MAX_LEN {
            let path = path.to_owned();
            return Err(FileError::Unwritable { path, what: "length of the state", found, limit: MAX_LEN });
        }
        let mut scratch = path.as_os_str().to_owned();
        scratch.push(".new");
        let scratch = PathBuf::from(scratch);
        let result = self
            .write_to(&scratch)
            .and_then(|()| fs::rename(&scratch, path).map_err(FileError::io(path, "replace the file")));
        if result.is_err() {
            // The error is what matters; the next one replaces what stays behind.
            let _ = fs::remove_file(&scratch);
        }
        result
    }

    fn write_to(&self, path: &Path) -> Result<(), FileError> {
        let created = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path);
        let mut file = created.map_err(FileError::io(path, "create the file"))?;
        file.write_all(&self.0).map_err(FileError::io(path, "write"))?;
        file.sync_all().map_err(FileError::io(path, "sync the file to disk"))
    }
}

/// Reads the file at `path`, and cuts off where sequences stood, for that holds once. Nothing if there is none.
///
/// # Errors
/// When it cannot be read, is damaged, or of another version. Then it is as if there were none.
pub fn take_state(path: &Path) -> Result<Vec<RememberedExporter>, FileError> {
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::io(path, "open the file")(error)),
    };
    let bytes = read(&mut file).map_err(FileError::io(path, "read"))?;
    let damaged = |damage| FileError::State { path: path.to_owned(), damage };
    let mut cursor = Cursor::new(&bytes);
    let (mut exporters, end) = lasting(&mut cursor).map_err(damaged)?;
    if end < bytes.len() {
        file.set_len(end as u64).map_err(FileError::io(path, "cut off what holds once"))?;
        // A part of it that is damaged tells nothing about sequences, and that is all it does.
        let _ = sequences(&bytes[end..], &mut exporters);
    }
    Ok(exporters)
}

fn read(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAX_LEN + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The exporters, without sequences, and where their section ends.
fn lasting(cursor: &mut Cursor<'_>) -> Result<(Vec<RememberedExporter>, usize), Damage> {
    let whole = cursor.rest();
    if whole.len() as u64 > MAX_LEN {
        return Err(Damage::TooLarge { what: "length", found: whole.len() as u64, limit: MAX_LEN });
    }
    if cursor.take(MAGIC.len())? != MAGIC {
        return Err(Damage::Inconsistent("it is no state of a collector"));
    }
    match cursor.u16()? {
        VERSION => {}
        found => return Err(Damage::Unknown { what: "version", found: found.into() }),
    }
    cursor.u16()?;
    let len = cursor.u64()?;
    let limit = (whole.len() - HEADER_LEN) as u64;
    if len > limit {
        return Err(Damage::Short { needed: len, available: limit });
    }
    let mut section = Cursor::new(cursor.take(len as usize)?);
    verify(&whole[..HEADER_LEN + len as usize], cursor.u64()?)?;
    let count = section.bounded("count of exporters", MAX_EXPORTERS)?;
    let exporters = (0..count).map(|_| exporter(&mut section)).collect::<Result<_, _>>()?;
    section.finish()?;
    Ok((exporters, cursor.position()))
}

/// Where sequences stood; nothing of it counts if anything is damaged.
fn sequences(section: &[u8], exporters: &mut [RememberedExporter]) -> Result<(), Damage> {
    let Some((section, sum)) = section.split_last_chunk::<CHECKSUM_LEN>() else {
        return Err(Damage::Inconsistent("there is no checksum"));
    };
    verify(section, u64::from_le_bytes(*sum))?;
    let mut cursor = Cursor::new(section);
    while !cursor.is_empty() {
        let number = cursor.bounded("exporter", MAX_EXPORTERS)?;
        let last = last(&mut cursor)?;
        if let Some(exporter) = exporters.get_mut(number) {
            exporter.last = Some(last);
        }
    }
    Ok(())
}

fn put_exporter(exporter: &RememberedExporter, out: &mut Vec<u8>) {
    let flags = [
        (exporter.port.is_some(), has::PORT),
        (exporter.agent.is_some(), has::AGENT),
        (exporter.init_ms.is_some(), has::INIT),
        (exporter.counts_itself.is_some(), has::RULE),
        (exporter.counts_itself == Some(true), has::COUNTS_ITSELF),
    ];
    out.push(flags.iter().filter(|(is_set, _)| *is_set).fold(0, |all, (_, flag)| all | flag));
    put_varint(exporter.protocol.into(), out);
    put_addr(exporter.addr, out);
    put_varint(exporter.domain.into(), out);
    put_varint(exporter.heard_ms, out);
    if let Some(port) = exporter.port {
        put_varint(port.into(), out);
    }
    if let Some(agent) = exporter.agent {
        put_addr(agent, out);
    }
    if let Some(init_ms) = exporter.init_ms {
        put_varint(init_ms, out);
    }
    put_varint(exporter.templates.len() as u64, out);
    for template in &exporter.templates {
        put_varint(template.id.into(), out);
        put_varint(template.scope.map_or(0, |scope| u64::from(scope) + 1), out);
        put_varint(template.port.into(), out);
        put_varint(template.used_ms, out);
        put_octets(&template.fields, out);
    }
    put_varint(exporter.samplers.len() as u64, out);
    for sampler in &exporter.samplers {
        put_varint(zigzag(sampler.id.cast_unsigned()), out);
        for number in [sampler.algorithm.into(), sampler.interval, sampler.space] {
            put_varint(number.into(), out);
        }
    }
    put_varint(exporter.names.len() as u64, out);
    for name in &exporter.names {
        out.push(name.kind.code());
        put_octets(&name.id, out);
        put_octets(name.name.as_bytes(), out);
    }
}

fn exporter(cursor: &mut Cursor<'_>) -> Result<RememberedExporter, Damage> {
    let flags = cursor.u8()?;
    let has = |flag| flags & flag != 0;
    let (protocol, addr) = (u16_of(cursor, "protocol")?, cursor.addr()?);
    let (domain, heard_ms) = (u32_of(cursor, "domain")?, cursor.varint()?);
    let port = has(has::PORT).then(|| u16_of(cursor, "port")).transpose()?;
    let agent = has(has::AGENT).then(|| cursor.addr()).transpose()?;
    let init_ms = has(has::INIT).then(|| cursor.varint()).transpose()?;
    let counts_itself = has(has::RULE).then(|| has(has::COUNTS_ITSELF));
    let templates = listed(cursor, template)?;
    let samplers = listed(cursor, sampler)?;
    // Of a kind that this version does not know are none that it needs.
    let names = listed(cursor, name)?.into_iter().flatten().collect();
    Ok(RememberedExporter {
        protocol,
        addr,
        domain,
        port,
        agent,
        heard_ms,
        init_ms,
        counts_itself,
        templates,
        samplers,
        names,
        last: None,
    })
}

/// A count, and as many as it says. Nothing is reserved for what is not there.
fn listed<T>(
    cursor: &mut Cursor<'_>,
    mut one: impl FnMut(&mut Cursor<'_>) -> Result<T, Damage>,
) -> Result<Vec<T>, Damage> {
    let count = cursor.bounded("count", MAX_LISTED)?;
    let mut list = Vec::new();
    for _ in 0..count {
        list.push(one(cursor)?);
    }
    Ok(list)
}

fn template(cursor: &mut Cursor<'_>) -> Result<RememberedTemplate, Damage> {
    let id = u16_of(cursor, "template id")?;
    let scope = cursor.bounded("scope", 1 << 16)?.checked_sub(1).map(|scope| scope as u16);
    let (port, used_ms) = (u16_of(cursor, "port")?, cursor.varint()?);
    Ok(RememberedTemplate { id, scope, port, used_ms, fields: octets(cursor)?.to_vec() })
}

fn sampler(cursor: &mut Cursor<'_>) -> Result<SamplerInfo, Damage> {
    Ok(SamplerInfo {
        exporter: 0,
        id: unzigzag(cursor.varint()?).cast_signed(),
        algorithm: u16_of(cursor, "algorithm")?,
        interval: u32_of(cursor, "interval")?,
        space: u32_of(cursor, "space")?,
    })
}

fn name(cursor: &mut Cursor<'_>) -> Result<Option<NameInfo>, Damage> {
    let (kind, id) = (cursor.u8()?, octets(cursor)?.to_vec());
    let name = String::from_utf8_lossy(octets(cursor)?).into_owned();
    Ok(NameKind::from_code(kind).map(|kind| NameInfo { exporter: 0, kind, id, name }))
}

fn put_last(number: u64, last: LastDatagram, out: &mut Vec<u8>) {
    put_varint(number, out);
    put_varint(last.number.into(), out);
    put_varint(last.units.into(), out);
    // The time is 0 where there is none: no exporter's clock stands there.
    let (unix_ms, uptime_ms) =
        last.clock.map_or((0, 0), |(unix_ms, uptime_ms)| (unix_ms.saturating_add(1), uptime_ms));
    put_varint(unix_ms, out);
    put_varint(uptime_ms.into(), out);
}

fn last(cursor: &mut Cursor<'_>) -> Result<LastDatagram, Damage> {
    let (number, units) = (u32_of(cursor, "sequence number")?, u32_of(cursor, "units")?);
    let (unix_ms, uptime_ms) = (cursor.varint()?, u32_of(cursor, "uptime")?);
    Ok(LastDatagram { number, units, clock: unix_ms.checked_sub(1).map(|unix_ms| (unix_ms, uptime_ms)) })
}

fn put_octets(octets: &[u8], out: &mut Vec<u8>) {
    put_varint(octets.len() as u64, out);
    out.extend_from_slice(octets);
}

fn octets<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], Damage> {
    let len = cursor.bounded("length", MAX_LISTED)?;
    cursor.take(len)
}

fn u16_of(cursor: &mut Cursor<'_>, what: &'static str) -> Result<u16, Damage> {
    Ok(cursor.bounded(what, u16::MAX.into())? as u16)
}

fn u32_of(cursor: &mut Cursor<'_>, what: &'static str) -> Result<u32, Damage> {
    Ok(cursor.bounded(what, u32::MAX.into())? as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tempfile::TempDir;

    fn exporters() -> Vec<RememberedExporter> {
        let sampler = |id, space| SamplerInfo { exporter: 0, id, algorithm: 2, interval: 1, space };
        let fields = vec![0, 1, 0, 4];
        let template =
            RememberedTemplate { id: 256, scope: None, port: 2055, used_ms: 1_700_000_000_000, fields };
        let options =
            RememberedTemplate { id: 65_535, scope: Some(0), port: 0, fields: Vec::new(), ..template };
        let full = RememberedExporter {
            protocol: 9,
            addr: [192, 0, 2, 1].into(),
            domain: u32::MAX,
            port: Some(4711),
            agent: Some("2001:db8::1".parse().unwrap()),
            heard_ms: 1_700_000_000_000,
            init_ms: Some(u64::MAX),
            counts_itself: Some(true),
            templates: vec![template, options],
            samplers: vec![sampler(-1, 99), sampler(i64::MIN, u32::MAX)],
            names: vec![NameInfo {
                exporter: 0,
                kind: NameKind::Vrf,
                id: vec![0, 0, 0, 7],
                name: "rot".to_owned(),
            }],
            last: Some(LastDatagram { number: u32::MAX, units: 30, clock: Some((0, u32::MAX)) }),
        };
        let bare = RememberedExporter {
            addr: "::1".parse().unwrap(),
            port: None,
            agent: None,
            init_ms: None,
            counts_itself: None,
            templates: Vec::new(),
            samplers: Vec::new(),
            names: Vec::new(),
            last: Some(LastDatagram { number: 0, units: 0, clock: None }),
            ..full.clone()
        };
        vec![full, bare]
    }

    fn without_sequences() -> Vec<RememberedExporter> {
        exporters().into_iter().map(|exporter| RememberedExporter { last: None, ..exporter }).collect()
    }

    fn place() -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(COLLECTOR_STATE);
        (directory, path)
    }

    #[test]
    fn everything_comes_back_and_sequences_once() {
        let (directory, path) = place();
        assert_eq!(take_state(&path).unwrap(), []);
        StateImage::new(&exporters()).write(&path).unwrap();
        assert_eq!(take_state(&path).unwrap(), exporters());
        assert_eq!(take_state(&path).unwrap(), without_sequences());
        let image = StateImage::new(&without_sequences());
        assert_eq!(fs::read(&path).unwrap(), image.0);
        assert_ne!(image.fingerprint(), StateImage::new(&exporters()).fingerprint());
        let names: Vec<_> =
            fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [COLLECTOR_STATE]);
        assert!(
            !crate::is_data_file(COLLECTOR_STATE.as_ref())
                && !crate::is_data_file(".rcapd.state.new".as_ref())
        );
    }

    #[test]
    fn the_layout_is_the_one_that_is_written_down() {
        let mut known = without_sequences().remove(1);
        known.domain = 5;
        known.last = Some(LastDatagram { number: 300, units: 1, clock: None });
        let StateImage(bytes) = StateImage::new(&[known]);
        let mut expected = b"RDFs\x01\x00\x00\x00\x1e\x00\x00\x00\x00\x00\x00\x00".to_vec();
        expected.extend([1, 0, 9, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 5]);
        expected.extend([0x80, 0xd0, 0x95, 0xff, 0xbc, 0x31, 0, 0, 0]);
        assert_eq!(bytes[..expected.len()], expected);
        assert_eq!(bytes[expected.len() + 8..][..6], [0, 0xac, 2, 1, 0, 0]);
        assert_eq!(bytes.len(), expected.len() + 8 + 6 + 8);
    }

    #[test]
    fn damage_is_named_and_costs_what_it_concerns() {
        let (_directory, path) = place();
        let StateImage(whole) = StateImage::new(&exporters());
        let lasting_len = StateImage::new(&without_sequences()).0.len();
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x40;
            fs::write(&path, &bytes).unwrap();
            match take_state(&path) {
                Ok(found) => assert!(place >= lasting_len && found == without_sequences(), "{place}"),
                Err(error) => {
                    // The two octets that mean nothing are covered by the checksum, too.
                    assert!(
                        place < lasting_len && matches!(error, FileError::State { .. }),
                        "{place}: {error}"
                    );
                    assert_eq!(fs::read(&path).unwrap(), bytes, "evidence stays");
                }
            }
            fs::write(&path, &whole[..place]).unwrap();
            assert_eq!(take_state(&path).is_ok(), place >= lasting_len, "cut at {place}");
        }
        fs::write(&path, "{\"json\": true}").unwrap();
        let text = take_state(&path).unwrap_err().to_string();
        assert_eq!(text, format!("{}: it is no state of a collector", path.display()));
        let newer = [&whole[..4], &[2, 0], &whole[6..]].concat();
        fs::write(&path, newer).unwrap();
        assert_eq!(
            take_state(&path).unwrap_err().to_string(),
            format!("{}: unknown version 2", path.display())
        );
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(take_state(&path).is_err() && StateImage::new(&[]).write(&path).is_err());
    }

    proptest! {
        /// Octets that pass for a file because their checksum is right.
        #[test]
        fn any_octets_are_exporters_or_an_error(section in prop::collection::vec(any::<u8>(), 0..200), flip in 0..200_usize) {
            let mut bytes = StateImage::new(&exporters()).0;
            if flip < section.len() {
                bytes.splice(HEADER_LEN + flip.min(bytes.len() - HEADER_LEN).., section);
            } else {
                bytes.splice(HEADER_LEN.., section);
            }
            let len = (bytes.len() - HEADER_LEN) as u64;
            bytes[8..HEADER_LEN].copy_from_slice(&len.to_le_bytes());
            let sum = checksum(&bytes);
            bytes.extend_from_slice(&sum.to_le_bytes());
            if let Ok((found, end)) = lasting(&mut Cursor::new(&bytes)) {
                prop_assert_eq!(end, bytes.len());
                let again = StateImage::new(&found).0;
                let read = lasting(&mut Cursor::new(&again));
                prop_assert_eq!(read, Ok((found, again.len())));
            }
        }
    }
}
