//! The reports about files themselves: `-g`, `-v`, `-E` and `-x`.

use crate::text::{num, right};
use flow_model::{ExporterInfo, SamplerInfo, Totals};
use std::fmt::Display;
use std::io::Write;

/// Appends the heading of `-g`, a table for gnuplot.
pub fn gnuplot_heading(out: &mut Vec<u8>) {
    out.extend_from_slice(b"# yyyy-mm-dd HH:MM:SS,flows,packets,bytes\n");
}

/// Appends a file's row of `-g`. `start` is the time that its name tells, as `yyyy-mm-dd HH:MM:SS`; a file whose name
/// tells none has no place on the axis.
pub fn gnuplot_row(start: Option<impl Display>, totals: &Totals, out: &mut Vec<u8>) {
    match start {
        None => out.extend_from_slice(b"No datstring\n"),
        Some(start) => {
            put(out, format_args!("{start},{},{},{}\n", totals.flows, totals.packets, totals.bytes));
        }
    }
}

/// Appends the report of `-E`: exporters in the order of their numbers, each with its samplers.
pub fn exporters(exporters: &[ExporterInfo], samplers: &[SamplerInfo], out: &mut Vec<u8>) {
    out.extend_from_slice(b"Exporters:\n");
    if exporters.is_empty() && samplers.is_empty() {
        out.extend_from_slice(b"No Exporter records found\n");
    }
    out.push(b'\n');
    let mut exporters: Vec<&ExporterInfo> = exporters.iter().collect();
    exporters.sort_by_key(|exporter| exporter.sysid);
    for exporter in &exporters {
        put_exporter(exporter, out);
        samplers.iter().filter(|sampler| sampler.exporter == exporter.sysid).for_each(|sampler| {
            put_sampler(sampler, out);
        });
    }
    for sampler in samplers {
        if !exporters.iter().any(|exporter| exporter.sysid == sampler.exporter) {
            put(out, format_args!("SysID: {}, no exporter of this number\n", sampler.exporter));
            put_sampler(sampler, out);
        }
    }
}

fn put_exporter(exporter: &ExporterInfo, out: &mut Vec<u8>) {
    let ExporterInfo { sysid, version, addr, domain, ledger } = exporter;
    put(out, format_args!("SysID: {sysid}, IP: "));
    right(out, addr.to_string().as_bytes(), if addr.is_ipv4() { IPV4_WIDTH } else { IPV6_WIDTH });
    put(out, format_args!(", version: {version}, ID: {domain:2}"));
    if ledger.flows == 0 {
        out.extend_from_slice(b" - no flows sent\n");
        return;
    }
    let (failures, datagrams, flows) = (ledger.sequence_failures, ledger.datagrams, ledger.flows);
    put(out, format_args!(", Sequence failures: {failures}, packets: {datagrams}, flows: {flows}\n"));
}

fn put_sampler(sampler: &SamplerInfo, out: &mut Vec<u8>) {
    let SamplerInfo { id, algorithm, interval, space, exporter: _ } = sampler;
    out.extend_from_slice(b"    Sampler: ");
    match id {
        -1 => out.extend_from_slice(b"Generic Sampler: "),
        -2 => out.extend_from_slice(b"Static default Sampler: "),
        -3 => out.extend_from_slice(b"Static overwrite Sampler: "),
        id => put(out, format_args!("Assigned Sampler: id: {id}, ")),
    }
    put(out, format_args!("algorithm: {algorithm}, packet interval: {interval}, packet space: {space}\n"));
}

/// Widths of an exporter's address.
const IPV4_WIDTH: usize = 16;
const IPV6_WIDTH: usize = 40;

/// An extension map of nfdump 1.6: which extensions the records have that name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionMap<'a> {
    /// Number of the map.
    pub id: u16,
    /// Octets of the record that defines it.
    pub record_len: u16,
    /// Octets that the extensions add to a record, as the map says.
    pub extensions_len: u16,
    /// The extensions, in the order in which records have them.
    pub extensions: &'a [u16],
}

/// Appends the report of `-x`: the maps in file order. Only files of nfdump 1.6 have any.
pub fn extension_maps<'a>(maps: impl IntoIterator<Item = ExtensionMap<'a>>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\nDump all extension maps:\n========================\n");
    let mut none = true;
    for ExtensionMap { id, record_len, extensions_len, extensions } in maps {
        none = false;
        put(
            out,
            format_args!(
                "Extension Map:\n  Map ID   = {id}\n  Map Size = {record_len}\n  Ext Size = {extensions_len}\n"
            ),
        );
        for &extension in extensions {
            match EXTENSIONS.iter().find(|(number, ..)| *number == extension) {
                Some((_, slot, what)) => {
                    put(out, format_args!("  ID {slot:3}, ext {extension:3} = {what}\n"));
                }
                None => put(out, format_args!("  ext {extension:3} = unknown extension\n")),
            }
        }
        out.push(b'\n');
    }
    if none {
        out.extend_from_slice(b"No 1.6.x extension definition records\n");
    }
}

/// Extensions of nfdump 1.6: number, the slot that `-x` prints, what it holds.
const EXTENSIONS: [(u16, u16, &str); 34] = [
    (4, 1, "2 byte input/output interface index"),
    (5, 1, "4 byte input/output interface index"),
    (6, 2, "2 byte src/dst AS number"),
    (7, 2, "4 byte src/dst AS number"),
    (8, 3, "dst tos, direction, src/dst mask"),
    (9, 4, "IPv4 next hop"),
    (10, 4, "IPv6 next hop"),
    (11, 5, "IPv4 BGP next IP"),
    (12, 5, "IPv6 BGP next IP"),
    (13, 6, "src/dst vlan id"),
    (14, 7, "4 byte output packets"),
    (15, 7, "8 byte output packets"),
    (16, 8, "4 byte output bytes"),
    (17, 8, "8 byte output bytes"),
    (18, 9, "4 byte aggregated flows"),
    (19, 9, "8 byte aggregated flows"),
    (20, 10, "in src/out dst mac address"),
    (21, 11, "in dst/out src mac address"),
    (22, 12, "MPLS Labels"),
    (23, 13, "IPv4 router IP addr"),
    (24, 13, "IPv6 router IP addr"),
    (25, 14, "router ID"),
    (26, 15, "BGP adjacent prev/next AS"),
    (27, 16, "time packet received"),
    (37, 26, "NSEL Common block"),
    (38, 27, "NSEL xlate ports"),
    (39, 28, "NSEL xlate IPv4 addr"),
    (40, 28, "NSEL xlate IPv6 addr"),
    (41, 29, "NSEL ACL ingress/egress acl ID"),
    (42, 30, "NSEL username"),
    (43, 30, "NSEL max username"),
    (45, 64, "nprobe/nfpcapd latency"),
    (46, 31, "NEL Common block"),
    (48, 32, "NAT Port Block Allocation"),
];

/// Appends what `-v` says of a file before it looks into it: labels and values.
pub fn check_heading(lines: &[(&str, String)], out: &mut Vec<u8>) {
    for (label, value) in lines {
        put(out, format_args!("{label:11}: {value}\n"));
    }
    out.extend_from_slice(b"Checking data blocks\n");
}

/// Appends the signs of life that nfdump gives while it checks so many blocks of flows and of the appendix.
pub fn check_progress(blocks: u32, appendix_blocks: u16, out: &mut Vec<u8>) {
    let (blocks, all) = (u64::from(blocks), u64::from(blocks) + u64::from(appendix_blocks));
    for block in 0..all {
        if block > 0 && block == blocks {
            out.extend_from_slice(b"Checking appendix blocks\n");
        }
        if block % 8 == 0 {
            out.extend_from_slice(if block % 32 < 16 { b" |\r" } else { b" -\r" });
        }
    }
}

/// Appends what `-v` counted: labels and numbers.
pub fn check_totals(lines: &[(String, u64)], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\nTotal\n");
    for (label, count) in lines {
        put(out, format_args!("{label:14}: "));
        num(out, *count);
        out.push(b'\n');
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector does not fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::LossLedger;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    fn text(print: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        print(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn exporter(sysid: u16, version: u16, addr: IpAddr, domain: u32, flows: u64) -> ExporterInfo {
        let ledger = LossLedger { datagrams: 10, flows, sequence_failures: 3, ..LossLedger::default() };
        ExporterInfo { sysid, version, addr, domain, ledger }
    }

    fn sampler(exporter: u16, id: i64, interval: u32, space: u32) -> SamplerInfo {
        SamplerInfo { exporter, id, algorithm: 2, interval, space }
    }

    #[test]
    fn exporters_stand_in_order_with_their_samplers() {
        let listed = [
            exporter(300, 10, Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 1, 2).into(), 7, 30),
            exporter(1, 9, Ipv4Addr::new(10, 0, 0, 1).into(), 123_456, 20),
            exporter(4, 5, Ipv4Addr::new(203, 113, 200, 201).into(), 0, 0),
        ];
        let samplers = [
            sampler(300, -2, 1, 0),
            sampler(1, -1, 1, 99),
            sampler(9, 7, 1, 9),
            sampler(1, 123_456_789_012, 4_000_000_000, 990),
            sampler(300, -3, 5, 5),
        ];
        assert_eq!(
            text(|out| exporters(&listed, &samplers, out)),
            "Exporters:\n\n\
             SysID: 1, IP:         10.0.0.1, version: 9, ID: 123456, Sequence failures: 3, packets: 10, flows: 20\n\
             \x20   Sampler: Generic Sampler: algorithm: 2, packet interval: 1, packet space: 99\n\
             \x20   Sampler: Assigned Sampler: id: 123456789012, algorithm: 2, packet interval: 4000000000, packet space: 990\n\
             SysID: 4, IP:  203.113.200.201, version: 5, ID:  0 - no flows sent\n\
             SysID: 300, IP:                            2001:db8::1:2, version: 10, ID:  7, Sequence failures: 3, packets: 10, flows: 30\n\
             \x20   Sampler: Static default Sampler: algorithm: 2, packet interval: 1, packet space: 0\n\
             \x20   Sampler: Static overwrite Sampler: algorithm: 2, packet interval: 5, packet space: 5\n\
             SysID: 9, no exporter of this number\n\
             \x20   Sampler: Assigned Sampler: id: 7, algorithm: 2, packet interval: 1, packet space: 9\n"
        );
        assert_eq!(text(|out| exporters(&[], &[], out)), "Exporters:\nNo Exporter records found\n\n");
    }

    #[test]
    fn maps_name_their_extensions() {
        let map = ExtensionMap { id: 5, record_len: 24, extensions_len: 92, extensions: &[4, 17, 45, 99] };
        assert_eq!(
            text(|out| extension_maps([map], out)),
            "\nDump all extension maps:\n========================\n\
             Extension Map:\n  Map ID   = 5\n  Map Size = 24\n  Ext Size = 92\n\
             \x20 ID   1, ext   4 = 2 byte input/output interface index\n\
             \x20 ID   8, ext  17 = 8 byte output bytes\n\
             \x20 ID  64, ext  45 = nprobe/nfpcapd latency\n\
             \x20 ext  99 = unknown extension\n\n"
        );
        assert_eq!(
            text(|out| extension_maps([], out)),
            "\nDump all extension maps:\n========================\nNo 1.6.x extension definition records\n"
        );
    }

    #[test]
    fn the_check_and_the_plot() {
        assert_eq!(
            text(|out| check_heading(&[("File", "f".into()), ("Data blks", "3".into())], out)),
            "File       : f\nData blks  : 3\nChecking data blocks\n"
        );
        assert_eq!(
            text(|out| check_totals(&[("Type 3 blocks".into(), 4), ("Records".into(), 19)], out)),
            "\nTotal\nType 3 blocks : 4\nRecords       : 19\n"
        );
        for (blocks, appendix_blocks, expected) in [
            (0, 0, ""),
            (0, 1, " |\r"),
            (3, 0, " |\r"),
            (3, 1, " |\rChecking appendix blocks\n"),
            (8, 1, " |\rChecking appendix blocks\n |\r"),
            (33, 1, " |\r |\r -\r -\r |\rChecking appendix blocks\n"),
        ] {
            assert_eq!(text(|out| check_progress(blocks, appendix_blocks, out)), expected, "{blocks}");
        }
        let totals = Totals { flows: 32, packets: 118, bytes: 5507, ..Totals::default() };
        assert_eq!(
            text(|out| {
                gnuplot_heading(out);
                gnuplot_row(Some("2023-11-14 22:00:00"), &totals, out);
                gnuplot_row(None::<&str>, &totals, out);
            }),
            "# yyyy-mm-dd HH:MM:SS,flows,packets,bytes\n2023-11-14 22:00:00,32,118,5507\nNo datstring\n"
        );
    }
}
