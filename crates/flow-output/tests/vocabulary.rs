//! Every name that nfdump 1.6.13 to 1.7.8 take for a tag, a statistic, an aggregation, an order or a format means something
//! here, or docs/compat.md says that it does not.
#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use flow_model::{Order, aggregate_by_name, statistic_by_name, tag_by_name};
use flow_output::Format;

/// What docs/compat.md lists as missing.
fn missing() -> &'static str {
    let (_, missing) = include_str!("../../../docs/compat.md").split_once("\n## Missing").unwrap();
    missing
}

const TAGS: &str = "\
    al bfd bpp bps byt cl cnt da dap das dasn dc dir dloc dmk dn dp dtor dtos dvln eacl end eng evrf evrfnam evt exp ff \
    fl flg flid frag fwd gda gdap gsa gsap iacl ibyt ic idmc idt in inam ipkt ipl isid ismc it ivrf ivrfnam ja3 ja4 lbl \
    maxttl minttl mpls mpls1 mpls10 mpls2 mpls3 mpls4 mpls5 mpls6 mpls7 mpls8 mpls9 msec n nas nats nbid nbnam nda ndap \
    ndp nevt nfc nfv nh nhb nsa nsap nsp obyt odid odmc onam opid opkt opl osid osmc out pas pbend pbsize pbstart pbstep \
    pfact pfdir pfifn pfrea pfrule pkt pps pr ra sa sap sas sasn sc sgt sl sloc smk sn sni sp stor stos svln td tds te \
    teg ter tevt tfs tls tos tr trg trr ts tsg tsr ttl uname vrf xda xdap xdp xevt xsa xsap xsp";

const STATISTICS: &str = "\
    al as asn cl dir dstas dstasn dstgeo dstip dstmac dstmask dstport dsttos dstvlan eace eacl ethertype event evrf exace \
    flags geo iace iacl if indstmac inif inmac insrcmac ip ivrf ixace ja3 ja4 ja4s mac mask maxttl minttl mpls1 mpls10 \
    mpls2 mpls3 mpls4 mpls5 mpls6 mpls7 mpls8 mpls9 nat natdstip natdstport natip natport natsrcip natsrcport nbar ndstip \
    ndstport nevent nextas nhbip nhip nsrcip nsrcport odid opid outdstmac outif outmac outsrcmac port prevas proto router \
    sl srcas srcasn srcgeo srcip srcmac srcmask srcport srctos srcvlan tos tunproto vlan xdstip xdstport xevent xsrcip \
    xsrcport";

const AGGREGATIONS: &str = "\
    bgpnext dstas dstgeo dstip dstmask dstnet dstport dsttos dstvlan ethertype flags indstmac inif insrcmac maxttl minttl \
    mpls1 mpls10 mpls2 mpls3 mpls4 mpls5 mpls6 mpls7 mpls8 mpls9 next nextas odid opid outdstmac outif outsrcmac prevas \
    proto router srcas srcgeo srcip srcmask srcnet srcport srctos srcvlan tos xdstip xdstport xsrcip xsrcport";

const ORDERS: &str = "\
    bpp bps bytes duration flows ibpp ibps ibyte ibytes ipackets ipkg ipps obpp obps obyte obytes opackets opkg opps \
    packets pps tend tstart";

const FORMATS: &str = "\
    raw line gline long glong extended biline bilong pipe json ndjson csv csv-fast nsel nel nat null";

fn check(kind: &str, names: &str, is_known: impl Fn(&str) -> bool) {
    for name in names.split_whitespace() {
        let is_listed = missing().contains(&format!("`{kind}{name}`"));
        assert!(is_known(name) != is_listed, "{kind}{name}: known, or listed in docs/compat.md");
    }
}

#[test]
fn every_name_of_nfdump_is_known_or_listed() {
    check("%", TAGS, |name| tag_by_name(name).is_some());
    check("-s ", STATISTICS, |name| statistic_by_name(name).is_some());
    check("-A ", AGGREGATIONS, |name| aggregate_by_name(name).is_some());
    check("-O ", ORDERS, |name| Order::by_name(name).is_some());
    check("-o ", FORMATS, |name| Format::parse(name).is_ok());
}
