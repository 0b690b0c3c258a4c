//! The footer and the trailer: what makes a file finished, and opening it one read.

use super::compress::Compression;
use super::cursor::{Cursor, put_addr, put_varint, unzigzag, zigzag};
use super::directory::{put_totals, totals};
use super::header::{Header, rule_code, rule_from_code};
use super::index::Index;
use super::layout::{
    END_MAGIC, FOOTER_MAGIC, MAX_IDENT, MAX_LISTED, TRAILER_LEN, VERSION_MAJOR, VERSION_MINOR, checksum,
    section, verify,
};
use super::names::{exported_bytes, names_bytes, read_exported, read_names};
use crate::error::Damage;
use flow_model::{ExportedInfo, ExporterInfo, LossLedger, NameInfo, SamplerInfo, Totals};

/// What a finished file knows about itself.
#[derive(Clone, Debug)]
pub(crate) struct Footer {
    /// Minor version of the program that wrote it.
    pub(crate) minor: u16,
    pub(crate) header: Header,
    pub(crate) totals: Totals,
    pub(crate) ledger: LossLedger,
    pub(crate) exporters: Vec<ExporterInfo>,
    pub(crate) samplers: Vec<SamplerInfo>,
    pub(crate) names: Vec<NameInfo>,
    pub(crate) exported: Vec<ExportedInfo>,
    pub(crate) index: Index,
}

/// The fixed end of a finished file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trailer {
    pub(crate) footer_len: u32,
    pub(crate) major: u16,
    pub(crate) minor: u16,
    pub(crate) file_len: u64,
    pub(crate) checksum: u64,
}

impl Trailer {
    /// Reads a trailer from the last octets of a file; `None` if the file does not end with one.
    pub(crate) fn parse(tail: &[u8]) -> Option<Trailer> {
        let bytes = tail.last_chunk::<TRAILER_LEN>()?;
        if !bytes.ends_with(&END_MAGIC) {
            return None;
        }
        let mut cursor = Cursor::new(bytes);
        let footer_len = cursor.u32().ok()?;
        let (major, minor) = (cursor.u16().ok()?, cursor.u16().ok()?);
        Some(Trailer { footer_len, major, minor, file_len: cursor.u64().ok()?, checksum: cursor.u64().ok()? })
    }
}

impl Footer {
    /// Appends footer and trailer, to be written at `offset`.
    pub(crate) fn write(&self, offset: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&FOOTER_MAGIC);
        put_section(section::GENERAL, &self.general(), out);
        put_section(section::BLOCKS, self.index.bytes(), out);
        if !self.exporters.is_empty() {
            put_section(section::EXPORTERS, &exporters_bytes(&self.exporters), out);
        }
        if !self.samplers.is_empty() {
            put_section(section::SAMPLERS, &samplers_bytes(&self.samplers), out);
        }
        if !self.names.is_empty() {
            put_section(section::NAMES, &names_bytes(&self.names, self.header.compression), out);
        }
        if !self.exported.is_empty() {
            put_section(section::EXPORTED, &exported_bytes(&self.exported), out);
        }
        let footer_len = (out.len() - start) as u32;
        let file_len = offset + u64::from(footer_len) + TRAILER_LEN as u64;
        out.extend_from_slice(&footer_len.to_le_bytes());
        out.extend_from_slice(&VERSION_MAJOR.to_le_bytes());
        out.extend_from_slice(&VERSION_MINOR.to_le_bytes());
        out.extend_from_slice(&file_len.to_le_bytes());
        let sum = checksum(&out[start..]);
        out.extend_from_slice(&sum.to_le_bytes());
        out.extend_from_slice(&END_MAGIC);
    }

    /// Reads footer and trailer, which start at `offset` of the file.
    pub(crate) fn parse(bytes: &[u8], trailer: Trailer, offset: u64) -> Result<Footer, Damage> {
        let checked = bytes.len().saturating_sub(CHECKSUM_AND_MAGIC);
        verify(&bytes[..checked], trailer.checksum)?;
        let mut cursor = Cursor::new(&bytes[..bytes.len().saturating_sub(TRAILER_LEN)]);
        if cursor.take(FOOTER_MAGIC.len())? != FOOTER_MAGIC {
            return Err(Damage::Inconsistent("no footer starts here"));
        }
        let mut general = None;
        let mut index = Index::default();
        let (mut exporters, mut samplers) = (Vec::new(), Vec::new());
        let (mut names, mut exported) = (Vec::new(), Vec::new());
        while !cursor.is_empty() {
            let id = cursor.u8()?;
            let len = cursor.varint()?;
            let content = cursor.take(usize::try_from(len).unwrap_or(usize::MAX))?;
            match id {
                section::GENERAL => general = Some(read_general(&mut Cursor::new(content))?),
                section::BLOCKS => index = Index::parse(content.to_vec(), offset)?,
                section::EXPORTERS => exporters = read_exporters(&mut Cursor::new(content))?,
                section::SAMPLERS => samplers = read_samplers(&mut Cursor::new(content))?,
                section::NAMES => names = read_names(content)?,
                section::EXPORTED => exported = read_exported(content)?,
                id if id >= section::OPTIONAL => {}
                _ => return Err(Damage::Unknown { what: "section of the footer", found: id.into() }),
            }
        }
        let (header, totals, ledger) =
            general.ok_or(Damage::Inconsistent("the general section is missing"))?;
        Ok(Footer {
            minor: trailer.minor,
            header,
            totals,
            ledger,
            exporters,
            samplers,
            names,
            exported,
            index,
        })
    }

    fn general(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let (compression, level) = self.header.compression.code();
        put_varint(self.header.created_ms, &mut out);
        out.extend_from_slice(&[rule_code(self.header.rule), compression]);
        out.extend_from_slice(&level.to_le_bytes());
        put_varint(self.header.ident.len() as u64, &mut out);
        out.extend_from_slice(self.header.ident.as_bytes());
        put_totals(&self.totals, &mut out);
        put_ledger(&self.ledger, &mut out);
        put_varint(self.ledger.unwritten, &mut out);
        out
    }
}

/// The checksum of the trailer covers the footer and what stands in front of these.
const CHECKSUM_AND_MAGIC: usize = 16;

fn put_section(id: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(id);
    put_varint(content.len() as u64, out);
    out.extend_from_slice(content);
}

fn read_general(cursor: &mut Cursor<'_>) -> Result<(Header, Totals, LossLedger), Damage> {
    let created_ms = cursor.varint()?;
    let rule = rule_from_code(cursor.u8()?)?;
    let compression = Compression::from_code(cursor.u8()?, cursor.u8()?.cast_signed());
    let ident_len = cursor.bounded("length of the ident", MAX_IDENT as u64)?;
    let ident = String::from_utf8_lossy(cursor.take(ident_len)?).into_owned();
    let totals = totals(cursor)?;
    let mut ledger = read_ledger(cursor)?;
    // Files of former writers end here.
    if !cursor.is_empty() {
        ledger.unwritten = cursor.varint()?;
    }
    Ok((Header { created_ms, rule, compression, ident }, totals, ledger))
}

fn put_ledger(ledger: &LossLedger, out: &mut Vec<u8>) {
    let LossLedger {
        datagrams,
        flows,
        sequence_failures,
        missed,
        kernel_drops,
        queue_drops,
        no_template,
        malformed,
        refused,
        unwritten: _,
    } = *ledger;
    for num in [
        datagrams,
        flows,
        sequence_failures,
        missed,
        kernel_drops,
        queue_drops,
        no_template,
        malformed,
        refused,
    ] {
        put_varint(num, out);
    }
}

fn read_ledger(cursor: &mut Cursor<'_>) -> Result<LossLedger, Damage> {
    Ok(LossLedger {
        datagrams: cursor.varint()?,
        flows: cursor.varint()?,
        sequence_failures: cursor.varint()?,
        missed: cursor.varint()?,
        kernel_drops: cursor.varint()?,
        queue_drops: cursor.varint()?,
        no_template: cursor.varint()?,
        malformed: cursor.varint()?,
        refused: cursor.varint()?,
        unwritten: 0,
    })
}

fn exporters_bytes(exporters: &[ExporterInfo]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(exporters.len() as u64, &mut out);
    for exporter in exporters {
        put_varint(exporter.sysid.into(), &mut out);
        put_varint(exporter.version.into(), &mut out);
        put_addr(exporter.addr, &mut out);
        put_varint(exporter.domain.into(), &mut out);
        put_ledger(&exporter.ledger, &mut out);
    }
    out
}

fn read_exporters(cursor: &mut Cursor<'_>) -> Result<Vec<ExporterInfo>, Damage> {
    let count = cursor.bounded("count of exporters", MAX_LISTED)?;
    let mut exporters = Vec::new();
    for _ in 0..count {
        exporters.push(ExporterInfo {
            sysid: cursor.bounded("exporter number", u16::MAX.into())? as u16,
            version: cursor.bounded("export protocol", u16::MAX.into())? as u16,
            addr: cursor.addr()?,
            domain: cursor.bounded("observation domain", u32::MAX.into())? as u32,
            ledger: read_ledger(cursor)?,
        });
    }
    Ok(exporters)
}

fn samplers_bytes(samplers: &[SamplerInfo]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(samplers.len() as u64, &mut out);
    for sampler in samplers {
        put_varint(sampler.exporter.into(), &mut out);
        put_varint(zigzag(sampler.id.cast_unsigned()), &mut out);
        put_varint(sampler.algorithm.into(), &mut out);
        put_varint(sampler.interval.into(), &mut out);
        put_varint(sampler.space.into(), &mut out);
    }
    out
}

fn read_samplers(cursor: &mut Cursor<'_>) -> Result<Vec<SamplerInfo>, Damage> {
    let count = cursor.bounded("count of samplers", MAX_LISTED)?;
    let mut samplers = Vec::new();
    for _ in 0..count {
        samplers.push(SamplerInfo {
            exporter: cursor.bounded("exporter number", u16::MAX.into())? as u16,
            id: unzigzag(cursor.varint()?).cast_signed(),
            algorithm: cursor.bounded("sampling algorithm", u16::MAX.into())? as u16,
            interval: cursor.bounded("sampling interval", u32::MAX.into())? as u32,
            space: cursor.bounded("sampling space", u32::MAX.into())? as u32,
        });
    }
    Ok(samplers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::CountRule;

    fn footer() -> Footer {
        Footer {
            minor: VERSION_MINOR,
            header: Header {
                created_ms: 5,
                rule: CountRule::Collected,
                compression: Compression::Lz4,
                ident: "x".into(),
            },
            totals: Totals { flows: 7, ..Totals::default() },
            ledger: LossLedger::default(),
            exporters: Vec::new(),
            samplers: Vec::new(),
            names: Vec::new(),
            exported: Vec::new(),
            index: Index::default(),
        }
    }

    /// The octets of the footer with a section more, signed again.
    fn with_section(id: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        footer().write(0, &mut bytes);
        bytes.truncate(bytes.len() - TRAILER_LEN);
        put_section(id, b"from the future", &mut bytes);
        let len = bytes.len() as u32;
        bytes.extend_from_slice(&len.to_le_bytes());
        bytes.extend_from_slice(&VERSION_MAJOR.to_le_bytes());
        bytes.extend_from_slice(&9_u16.to_le_bytes());
        bytes.extend_from_slice(&u64::from(len + TRAILER_LEN as u32).to_le_bytes());
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes.extend_from_slice(&END_MAGIC);
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<Footer, Damage> {
        let trailer = Trailer::parse(bytes).unwrap();
        assert_eq!((trailer.file_len, trailer.major), (bytes.len() as u64, VERSION_MAJOR));
        Footer::parse(bytes, trailer, 0)
    }

    #[test]
    fn passes_over_optional_sections_of_a_later_version_and_refuses_others() {
        for id in [section::EXPORTED + 1, 200, u8::MAX] {
            assert_eq!(parse(&with_section(id)).unwrap().totals.flows, 7);
        }
        for id in [5, section::OPTIONAL - 1] {
            let error = parse(&with_section(id)).unwrap_err();
            assert_eq!(error, Damage::Unknown { what: "section of the footer", found: id.into() });
        }
    }
}
