//! `fmt:` strings: parsing, and the layout that a tag becomes.

use crate::cell::{Form, Quotes};
use crate::format::{FormatError, Formats, predefined_names};
use crate::layout::Layout;
use crate::text::{DurationStyle, spaces};
use crate::{OutputOptions, Release};
use flow_model::{Derived, Field, Source, Tag, TagStyle, tags};

/// A part of a `fmt:` string.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// Text as typed.
    Literal(String),
    /// A value.
    Tag(&'static Tag),
}

/// Parses the text behind `fmt:`. A tag is the longest one that stands behind a `%` and is followed by no
/// letter; names of predefined formats stand for their columns.
///
/// # Errors
/// The text from the first `%` on behind which no tag stands.
pub(crate) fn parse(text: &str, formats: &Formats) -> Result<Vec<Piece>, FormatError> {
    let mut pieces = Vec::new();
    expand(text, formats, &mut Vec::new(), &mut pieces)?;
    Ok(pieces)
}

/// Parses the definition of the format `name`, in which that name means what it means without.
pub(crate) fn parse_within(name: &str, text: &str, formats: &Formats) -> Result<Vec<Piece>, FormatError> {
    let mut pieces = Vec::new();
    expand(text, formats, &mut vec![name], &mut pieces)?;
    Ok(pieces)
}

/// More parts than anybody reads; definitions that name each other twice would double at each step.
const MAX_PIECES: usize = 4096;

fn expand<'a>(
    text: &str,
    formats: &'a Formats,
    within: &mut Vec<&'a str>,
    pieces: &mut Vec<Piece>,
) -> Result<(), FormatError> {
    let mut rest = text;
    while let Some(percent) = rest.find('%') {
        push_literal(pieces, &rest[..percent]);
        rest = &rest[percent..];
        let Some(name) = longest_name(&rest[1..], formats) else {
            return Err(FormatError::UnknownTag { rest: rest.to_owned() });
        };
        let known = |(definition, _): &(&str, &str)| *definition == name;
        match formats.definitions().find(known) {
            Some((name, text)) if !within.contains(&name) => {
                within.push(name);
                expand(text, formats, within, pieces)?;
                within.pop();
            }
            definition => match (tags().find(|tag| tag.name == name), formats.predefined(name), definition) {
                (Some(tag), ..) => pieces.push(Piece::Tag(tag)),
                (None, Some(text), _) => expand(text, formats, within, pieces)?,
                _ => return Err(FormatError::Circular { name: name.to_owned() }),
            },
        }
        if pieces.len() > MAX_PIECES {
            return Err(FormatError::TooLong { max: MAX_PIECES });
        }
        rest = &rest[1 + name.len()..];
    }
    push_literal(pieces, rest);
    Ok(())
}

/// The columns of a predefined format; none when there is no such format.
pub(crate) fn predefined_pieces(name: &str) -> Vec<Piece> {
    let formats = Formats::default();
    formats.predefined(name).and_then(|text| parse(text, &formats).ok()).unwrap_or_default()
}

/// The longest name of a tag or format that `text` begins with and that no letter follows.
fn longest_name<'t>(text: &'t str, formats: &Formats) -> Option<&'t str> {
    let fits = |name: &str| {
        let len = name.len();
        let followed_by_letter = text.as_bytes().get(len).is_some_and(u8::is_ascii_alphabetic);
        (text.starts_with(name) && !followed_by_letter).then_some(len)
    };
    let known = tags().map(|tag| tag.name).chain(predefined_names()).filter_map(fits).max();
    let defined = formats.definitions().filter_map(|(name, _)| fits(name)).max();
    known.max(defined).map(|len| &text[..len])
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Literal(text.to_owned()));
    }
}

/// How many columns `-6` adds to an address.
const LONG_IPV6_EXTRA: usize = 39 - 16;

/// Appends the header: the headings of the tags, and as many blanks as the text between them is long.
pub(crate) fn header(pieces: &[Piece], long_ipv6: bool, release: &Release, out: &mut Vec<u8>) {
    for piece in pieces {
        match piece {
            Piece::Literal(text) => spaces(out, text.len()),
            Piece::Tag(tag) => {
                if long_ipv6 && is_address(tag) {
                    spaces(out, LONG_IPV6_EXTRA);
                }
                out.extend_from_slice(heading(tag, release).as_bytes());
            }
        }
    }
}

fn heading(tag: &Tag, release: &Release) -> &'static str {
    if tag.source == Source::Derived(Derived::DurationMs) { release.duration.header } else { tag.header }
}

fn is_address(tag: &Tag) -> bool {
    matches!(
        tag.style,
        TagStyle::Addr
            | TagStyle::AddrCountry
            | TagStyle::AddrPort(_)
            | TagStyle::AddrCountryPort(_)
            | TagStyle::Network(_)
    )
}

/// How tags are printed.
#[expect(clippy::struct_excessive_bools, reason = "each is an independent option of nfdump")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// No scaling, no names of protocols, durations in seconds.
    plain: bool,
    /// Long IPv6 addresses cut to 16 columns.
    condensed: bool,
    /// An octet 1 in front of addresses.
    marked: bool,
    /// No padding at all.
    narrow: bool,
    /// Columns of an address.
    addr_width: usize,
    /// Whose columns.
    release: &'static Release,
}

impl Look {
    /// As the options say.
    pub(crate) fn columns(options: &OutputOptions, long_ipv6: bool) -> Look {
        Look {
            plain: options.plain_numbers,
            condensed: !long_ipv6,
            marked: options.mark_addresses,
            narrow: false,
            addr_width: if long_ipv6 { 39 } else { 16 },
            release: options.release,
        }
    }

    /// For machines: whole, plain, without padding.
    pub(crate) fn narrow() -> Look {
        Look {
            plain: true,
            condensed: false,
            marked: false,
            narrow: true,
            addr_width: 0,
            release: Release::V1_7,
        }
    }

    fn width(&self, width: usize) -> usize {
        if self.narrow { 0 } else { width }
    }
}

/// The layout of the rows, without the line break.
pub(crate) fn layout(pieces: &[Piece], look: &Look) -> Layout {
    let mut layout = Layout::default();
    for piece in pieces {
        match piece {
            Piece::Literal(text) => {
                layout.literal(text);
            }
            Piece::Tag(tag) => push_tag(&mut layout, tag, look),
        }
    }
    layout
}

/// Columns of a port behind an address.
const PORT_WIDTH: usize = 5;

/// Appends what a tag prints.
pub(crate) fn push_tag(layout: &mut Layout, tag: &Tag, look: &Look) {
    let width = look.width(tag.width.into());
    let Look { plain, condensed, addr_width, .. } = *look;
    if look.marked && is_address(tag) {
        layout.literal(b"\x01");
    }
    let field = match tag.source {
        Source::Field(field) => field,
        Source::Derived(derived) => return push_derived(layout, derived, tag, look),
    };
    match tag.style {
        TagStyle::Num | TagStyle::TimeMillis => layout.cell(Form::Num, [field], width),
        TagStyle::NumAfterBlank if look.narrow => layout.cell(Form::Num, [field], 0),
        TagStyle::NumAfterBlank => layout.literal(" ").cell(Form::Num, [field], width.saturating_sub(1)),
        TagStyle::Scaled => layout.cell(Form::Scaled { plain }, [field], width),
        TagStyle::Time => layout.cell(Form::Time { between: b' ' }, [field], 0),
        TagStyle::TimeUtc => layout.cell(Form::TimeUtc, [field], 0),
        TagStyle::TimeRaw => layout.cell(Form::Thousandths, [field], 0),
        TagStyle::Proto if plain => layout.cell(Form::NumLeft, [field], width),
        TagStyle::Proto => layout.cell(Form::Proto, [field], width),
        TagStyle::Addr => layout.cell(Form::Addr { condensed }, [field], addr_width),
        TagStyle::AddrCountry => {
            layout.cell(Form::Addr { condensed }, [field], addr_width);
            push_country(layout, field)
        }
        TagStyle::AddrPort(port) => {
            layout.cell(Form::Addr { condensed }, [field], addr_width);
            push_port(layout, field, port, look)
        }
        TagStyle::AddrCountryPort(port) => {
            layout.cell(Form::Addr { condensed }, [field], addr_width);
            push_country(layout, field);
            push_port(layout, field, port, look)
        }
        TagStyle::Network(mask) => {
            layout.cell(Form::Network { condensed, prefix_width: look.width(2) }, [field, mask], addr_width)
        }
        TagStyle::IcmpPort => layout.cell(Form::DstPort, [field, Field::Proto], width),
        TagStyle::TcpFlags => layout.cell(Form::TcpFlagsOfTcp, [field, Field::Proto], 0),
        TagStyle::Direction => layout.cell(Form::Direction, [field], width),
        TagStyle::NfVersion => layout.cell(Form::NfVersion, [field, Field::RecordFlags], 0),
        TagStyle::Mac => layout.cell(Form::Mac, [field], 0),
        TagStyle::Mpls => layout.cell(Form::Mpls, [field], width),
        TagStyle::MplsStack => {
            for label in Field::MPLS {
                layout.cell(Form::Mpls, [label], look.width(12)).literal(" ");
            }
            layout
        }
        TagStyle::Engine => {
            layout.cell(Form::Num, [field], look.width(3)).literal("/");
            layout.cell(Form::NumLeft, [Field::EngineId], look.width(3))
        }
        TagStyle::Hex => layout.cell(Form::Hex { digits: tag.width.saturating_sub(2) }, [field], 0),
        TagStyle::Latency => layout.cell(Form::Thousandths, [field], width),
        TagStyle::Event | TagStyle::NatEvent => {
            layout.cell(Form::Event, [Field::Groups, Field::FwEvent, Field::NatEvent], width)
        }
        TagStyle::Xevent => layout.cell(Form::Xevent, [field], width),
        TagStyle::AclHex => push_acl(layout, Form::HexLeft, field, look.width(8)),
        TagStyle::AclDecimal => push_acl(layout, Form::Num, field, look.width(10)),
        TagStyle::Label => layout.cell(Form::Text { none: "<none>" }, [field], width),
        TagStyle::UserName => layout.cell(Form::Text { none: "<empty>" }, [field], 0),
        TagStyle::AppId => layout.cell(Form::AppId, [field], look.width(2)),
        TagStyle::Payload => layout.cell(Form::Payload, [field], 0),
        TagStyle::Text => layout.cell(Form::Text { none: "" }, [field], width),
        TagStyle::TextOr(none) => layout.cell(Form::Text { none }, [field], width),
        TagStyle::Name(names, none) => layout.cell(Form::Name { names, none }, [field, Field::Groups], width),
        TagStyle::Symbol(names) => layout.cell(Form::Symbol { names }, [field], width),
        TagStyle::OwnNetwork => {
            let quotes = if look.narrow { Quotes::Csv } else { Quotes::None };
            layout.cell(Form::OwnNetwork { quotes }, [field], width)
        }
        TagStyle::Ttl => {
            layout.cell(Form::Num, [field], look.width(5)).literal(" ");
            layout.cell(Form::Num, [Field::MaxTtl], look.width(5))
        }
        TagStyle::Fragment => layout.cell(Form::Fragment, [field], 0),
        TagStyle::TextLeft(none) => layout.cell(Form::TextLeft { none }, [field], width),
        TagStyle::Country => layout.cell(Form::Country, [field], 0),
        TagStyle::Newline => layout.literal("\n"),
        TagStyle::Nothing | TagStyle::Duration | TagStyle::DurationSeconds => layout,
    };
}

/// Appends an address's country in parentheses.
fn push_country(layout: &mut Layout, addr: Field) -> &mut Layout {
    let country = if addr == Field::SrcAddr { Field::SrcCountry } else { Field::DstCountry };
    layout.literal("(").cell(Form::Country, [country], 0).literal(")")
}

fn push_port<'a>(layout: &'a mut Layout, addr: Field, port: Field, look: &Look) -> &'a mut Layout {
    let width = look.width(PORT_WIDTH);
    if port == Field::DstPort {
        layout.cell(Form::DstPortAfter, [addr, port, Field::Proto], width)
    } else {
        layout.cell(Form::PortAfter, [addr, port], width)
    }
}

fn push_acl(layout: &mut Layout, form: Form, first: Field, width: usize) -> &mut Layout {
    let [acl, ace, xace] = acl_fields(first);
    layout.cell(form, [acl], width).literal(" ").cell(form, [ace], width).literal(" ").cell(
        form,
        [xace],
        width,
    )
}

/// The three fields of an access list, of which `first` is the first.
pub(crate) fn acl_fields(first: Field) -> [Field; 3] {
    if first == Field::IngressAcl {
        [Field::IngressAcl, Field::IngressAce, Field::IngressXace]
    } else {
        [Field::EgressAcl, Field::EgressAce, Field::EgressXace]
    }
}

fn push_derived(layout: &mut Layout, derived: Derived, tag: &Tag, look: &Look) {
    let width = look.width(tag.width.into());
    let plain = look.plain;
    let [first, last] = [Field::FirstMs, Field::LastMs];
    match derived {
        Derived::DurationMs => {
            let column = &look.release.duration;
            let seconds = plain || tag.style == TagStyle::DurationSeconds;
            let width = look.width(column.width.into()) as u8;
            let style = if seconds { DurationStyle::Seconds(width) } else { column.style };
            layout.cell(Form::Duration(style), [first, last], 0)
        }
        Derived::Pps => layout.cell(Form::Pps { plain }, [Field::InPackets, first, last], width),
        Derived::Bps => layout.cell(Form::Bps { plain }, [Field::InBytes, first, last], width),
        Derived::Bpp => layout.cell(Form::Bpp, [Field::InBytes, Field::InPackets], width),
        Derived::IcmpType => layout.cell(Form::IcmpType, [Field::DstPort, Field::Proto], width),
        Derived::IcmpCode => layout.cell(Form::IcmpCode, [Field::DstPort, Field::Proto], width),
        Derived::Count => layout.cell(Form::Count, [], width),
        Derived::AppName => layout.cell(Form::AppName, [Field::AppId, Field::ExporterId], 0),
        Derived::InputName => layout.cell(Form::InterfaceName, [Field::Input, Field::ExporterId], 0),
        Derived::OutputName => layout.cell(Form::InterfaceName, [Field::Output, Field::ExporterId], 0),
        Derived::IngressVrfName => layout.cell(Form::VrfName, [Field::IngressVrf, Field::ExporterId], 0),
        Derived::EgressVrfName => layout.cell(Form::VrfName, [Field::EgressVrf, Field::ExporterId], 0),
        Derived::Newline => layout.literal("\n"),
        Derived::Ja3 => layout.cell(Form::Ja3, [Field::Ja3, Field::InPayload], width),
        Derived::Ja4 => layout.cell(Form::Ja4, [Field::Ja4], width),
        Derived::TlsVersion => layout.cell(Form::TlsVersion, [Field::InPayload], width),
        Derived::Sni => layout.cell(Form::ServerName, [Field::InPayload], width),
    };
}
