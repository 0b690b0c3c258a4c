//! Numbers, durations and plain text in columns.

const SPACES: [u8; 64] = [b' '; 64];

/// Appends `count` blanks.
#[inline]
pub(crate) fn spaces(out: &mut Vec<u8>, count: usize) {
    if count <= 16 {
        return put(out, &[b' '; 16], count);
    }
    let mut rest = count;
    while rest > 0 {
        let step = rest.min(SPACES.len());
        out.extend_from_slice(&SPACES[..step]);
        rest -= step;
    }
}

/// Appends the first `len` of some octets: a copy of a length that the compiler knows takes a few instructions, one of any
/// length a call.
#[inline]
pub(crate) fn put<const N: usize>(out: &mut Vec<u8>, octets: &[u8; N], len: usize) {
    let end = out.len() + len;
    out.extend_from_slice(octets);
    out.truncate(end);
}

/// Appends `text` right-justified in `width`; longer text makes the column grow.
#[inline]
pub(crate) fn right(out: &mut Vec<u8>, text: &[u8], width: usize) {
    spaces(out, width.saturating_sub(text.len()));
    out.extend_from_slice(text);
}

/// Appends `text` left-justified in `width`; longer text makes the column grow.
#[inline]
pub(crate) fn left(out: &mut Vec<u8>, text: &[u8], width: usize) {
    out.extend_from_slice(text);
    spaces(out, width.saturating_sub(text.len()));
}

/// As many digits a number has at most.
const MAX_DIGITS: usize = 20;

/// The digits of a number, which end at [`MAX_DIGITS`], with blanks before and behind them.
struct Digits {
    text: [u8; 2 * MAX_DIGITS],
    start: usize,
}

impl Digits {
    #[inline]
    fn new(value: u64) -> Digits {
        let mut digits = Digits { text: [b' '; 2 * MAX_DIGITS], start: MAX_DIGITS };
        let mut rest = value;
        while rest >= 100 {
            digits.start -= 2;
            digits.text[digits.start..digits.start + 2].copy_from_slice(&pair(rest % 100));
            rest /= 100;
        }
        let [tens, ones] = pair(rest);
        digits.start -= 1;
        digits.text[digits.start] = ones;
        if rest >= 10 {
            digits.start -= 1;
            digits.text[digits.start] = tens;
        }
        digits
    }

    /// Appends `len` octets from `start` on.
    #[inline]
    fn put(&self, out: &mut Vec<u8>, start: usize, len: usize) {
        let octets = self.text[start..].first_chunk::<MAX_DIGITS>();
        put(out, octets.unwrap_or(&[b' '; MAX_DIGITS]), len);
    }
}

/// Appends a number.
#[inline]
pub(crate) fn num(out: &mut Vec<u8>, value: u64) {
    num_right(out, value, 0);
}

/// Appends a number right-justified in `width`.
#[inline]
pub(crate) fn num_right(out: &mut Vec<u8>, value: u64, width: usize) {
    if width > MAX_DIGITS {
        spaces(out, width - MAX_DIGITS);
    }
    let digits = Digits::new(value);
    let start = digits.start.min(MAX_DIGITS - width.min(MAX_DIGITS));
    digits.put(out, start, MAX_DIGITS - start);
}

/// Appends a number left-justified in `width`.
#[inline]
pub(crate) fn num_left(out: &mut Vec<u8>, value: u64, width: usize) {
    let digits = Digits::new(value);
    digits.put(out, digits.start, (MAX_DIGITS - digits.start).max(width.min(MAX_DIGITS)));
    spaces(out, width.saturating_sub(MAX_DIGITS));
}

/// The two digits of a number below 100.
#[inline]
pub(crate) fn pair(value: u64) -> [u8; 2] {
    PAIRS[value as usize]
}

static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut value = 0;
    while value < 100 {
        pairs[value] = [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8];
        value += 1;
    }
    pairs
};

/// The three digits of a number below 1000.
#[inline]
pub(crate) fn triple(value: u64) -> [u8; 3] {
    let [tens, ones] = pair(value % 100);
    [b'0' + (value / 100) as u8, tens, ones]
}

/// Appends thousandths with three decimals, right-justified in `width`: 10500 is `10.500`.
#[inline]
pub(crate) fn thousandths(out: &mut Vec<u8>, value: u64, width: usize) {
    let [tenths, hundredths, thousandths] = triple(value % 1_000);
    num_right(out, value / 1_000, width.saturating_sub(4));
    out.extend_from_slice(&[b'.', tenths, hundredths, thousandths]);
}

const MEGA: u64 = 1_000_000;
const GIGA: u64 = 1_000_000_000;
const TERA: u64 = 1_000_000_000_000;

/// Appends a count as nfdump scales it: from a million on with one decimal and M, G or T. There is no carry
/// to the next unit after rounding, and no K. `plain` leaves the number whole.
#[inline]
pub(crate) fn scaled(out: &mut Vec<u8>, value: u64, width: usize, plain: bool) {
    if plain || value < MEGA {
        return num_right(out, value, width);
    }
    let (unit, letter) = match value {
        ..GIGA => (MEGA, b'M'),
        GIGA..TERA => (GIGA, b'G'),
        _ => (TERA, b'T'),
    };
    let tenths = tenths(value, unit);
    num_right(out, tenths / 10, width.saturating_sub(4));
    out.extend_from_slice(&[b'.', b'0' + (tenths % 10) as u8, b' ', letter]);
}

/// `value / unit` in tenths, rounded as C prints `(double)value / unit` with one decimal.
fn tenths(value: u64, unit: u64) -> u64 {
    let (whole, rest, half) = (value / (unit / 10), value % (unit / 10), unit / 20);
    if rest.abs_diff(half) > value >> 50 {
        return whole + u64::from(rest > half);
    }
    // So close to a tie that the quotient's binary representation decides.
    decimal_tenths(value as f64 / unit as f64)
}

/// A number of one decimal, in tenths, rounded as C prints it.
fn decimal_tenths(value: f64) -> u64 {
    format!("{value:.1}").replace('.', "").parse().unwrap_or(u64::MAX)
}

/// Appends `part` in per cent of `whole` with one decimal, right-justified in `width`; 0 of nothing.
pub(crate) fn percent(out: &mut Vec<u8>, part: u64, whole: u64, width: usize) {
    let percent = if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
    let tenths = decimal_tenths(percent);
    num_right(out, tenths / 10, width.saturating_sub(2));
    out.extend_from_slice(&[b'.', b'0' + (tenths % 10) as u8]);
}

/// `count * scale` per second, a whole number; 0 without duration. nfdump divides by seconds in floating
/// point, so that 28 packets in 35 ms are 799 a second, not 800.
pub(crate) fn per_second(count: u64, scale: u32, duration_ms: u64) -> u64 {
    if duration_ms == 0 {
        return 0;
    }
    let seconds = duration_ms as f64 / 1_000.0;
    (count as f64 * f64::from(scale) / seconds) as u64
}

/// How a duration is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DurationStyle {
    /// Days, hours, minutes, seconds: 16 wide.
    Clock,
    /// Seconds with three decimals, in this width.
    Seconds(u8),
}

/// Appends a duration given in ms.
#[inline]
pub(crate) fn duration(out: &mut Vec<u8>, duration_ms: u64, style: DurationStyle) {
    match style {
        DurationStyle::Seconds(width) => thousandths(out, duration_ms, usize::from(width)),
        DurationStyle::Clock => {
            let seconds = duration_ms / 1_000;
            let days = seconds / 86_400;
            if days == 0 {
                out.extend_from_slice(b"    ");
            } else {
                num_right(out, days, 2);
                out.extend_from_slice(b"d ");
            }
            let [tenths, hundredths, thousandths] = triple(duration_ms % 1_000);
            out.extend_from_slice(&clock(seconds % 86_400));
            out.extend_from_slice(&[b'.', tenths, hundredths, thousandths]);
        }
    }
}

/// The second of a day as `HH:MM:SS`.
#[inline]
pub(crate) fn clock(second: u64) -> [u8; 8] {
    let ([h1, h2], [m1, m2], [s1, s2]) = (pair(second / 3_600), pair(second / 60 % 60), pair(second % 60));
    [h1, h2, b':', m1, m2, b':', s1, s2]
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The lower-case hexadecimal digits of `value`, without leading zeros; one digit at least.
pub(crate) fn hex_digits(value: u64, buffer: &mut [u8; 16]) -> &[u8] {
    let mut at = buffer.len();
    let mut rest = value;
    loop {
        at -= 1;
        buffer[at] = HEX[(rest & 15) as usize];
        rest >>= 4;
        if rest == 0 {
            return &buffer[at..];
        }
    }
}

/// Appends `0x` and the hexadecimal number with at least `digits` digits.
pub(crate) fn hex(out: &mut Vec<u8>, value: u64, digits: usize) {
    let mut buffer = [0; 16];
    let text = hex_digits(value, &mut buffer);
    out.extend_from_slice(b"0x");
    (text.len()..digits).for_each(|_| out.push(b'0'));
    out.extend_from_slice(text);
}

/// Appends a MAC address, the lower 48 bits of `mac`.
#[inline]
pub(crate) fn mac(out: &mut Vec<u8>, mac: u64) {
    let mut text = *b"00:00:00:00:00:00";
    for (index, octet) in mac.to_be_bytes()[2..].iter().enumerate() {
        text[index * 3] = HEX[usize::from(octet >> 4)];
        text[index * 3 + 1] = HEX[usize::from(octet & 15)];
    }
    out.extend_from_slice(&text);
}

/// Appends an MPLS entry of 24 bits as `label-exp-eos`, right-justified in `width`.
#[inline]
pub(crate) fn mpls(out: &mut Vec<u8>, entry: u64, width: usize) {
    num_right(out, entry >> 4, width.saturating_sub(4));
    out.extend_from_slice(&[b'-', b'0' + (entry >> 1 & 7) as u8, b'-', b'0' + (entry & 1) as u8]);
}

/// Appends TCP flags as `CEUAPRSF`, a dot for each that is not set.
#[inline]
pub(crate) fn tcp_flags(out: &mut Vec<u8>, flags: u64) {
    let mut text = *b"CEUAPRSF";
    for (bit, letter) in text.iter_mut().enumerate() {
        if flags >> (7 - bit) & 1 == 0 {
            *letter = b'.';
        }
    }
    out.extend_from_slice(&text);
}

/// What of an octet string from the network is printed: up to the first NUL, control characters as dots, so
/// that no exporter can break lines or steer a terminal.
pub(crate) fn printable(bytes: &[u8]) -> impl Iterator<Item = u8> + Clone + '_ {
    let dot = |octet: u8| if octet.is_ascii_control() { b'.' } else { octet };
    bytes.iter().copied().take_while(|&octet| octet != 0).map(dot)
}

/// Appends an octet string as the inside of a json string: up to the first NUL, escaped.
pub(crate) fn json_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let end = bytes.iter().position(|&octet| octet == 0).unwrap_or(bytes.len());
    let mut buffer = [0; 4];
    for letter in String::from_utf8_lossy(&bytes[..end]).chars() {
        match letter {
            '"' | '\\' => out.extend_from_slice(&[b'\\', letter as u8]),
            '\n' => out.extend_from_slice(b"\\n"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\0'..' ' => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[letter as usize >> 4]);
                out.push(HEX[letter as usize & 15]);
            }
            _ => out.extend_from_slice(letter.encode_utf8(&mut buffer).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_of_every_length_in_every_width() {
        let mut value = 0_u64;
        for digit in (1..=9).chain(0..=9).chain([0]) {
            for width in [0, 1, 5, 19, 20, 21, 100] {
                assert_eq!(text(|out| num_right(out, value, width)), format!("{value:width$}"));
                assert_eq!(text(|out| num_left(out, value, width)), format!("{value:<width$}"));
            }
            assert_eq!(text(|out| num(out, value)), value.to_string());
            value = value.saturating_mul(10).saturating_add(digit);
        }
        assert_eq!(text(|out| num(out, u64::MAX)), u64::MAX.to_string());
    }

    #[test]
    fn counts_are_scaled_from_a_million_without_carry() {
        let scaled = |value| text(|out| scaled(out, value, 8, false));
        assert_eq!(scaled(999_999), "  999999");
        assert_eq!(scaled(1_000_000), "   1.0 M");
        assert_eq!(scaled(4_194_304), "   4.2 M");
        assert_eq!(scaled(999_999_999), "1000.0 M");
        assert_eq!(scaled(5_368_709_120), "   5.4 G");
        assert_eq!(scaled(2_500_000_000_000), "   2.5 T");
        assert_eq!(scaled(u64::MAX), "18446744.1 T");
        assert_eq!(text(|out| super::scaled(out, 999_950_000, 0, false)), "1000.0 M");
        assert_eq!(text(|out| super::scaled(out, 5_368_709_120, 8, true)), "5368709120");
    }

    #[test]
    fn ties_round_as_the_binary_quotient_prints() {
        for value in [1_050_000, 1_150_000, 1_250_000, 1_350_000, 2_450_000_000, 999_950_000] {
            let unit = if value < GIGA { MEGA } else { GIGA };
            let expected = format!("{:.1}", value as f64 / unit as f64);
            assert_eq!(format!("{}.{}", tenths(value, unit) / 10, tenths(value, unit) % 10), expected);
        }
        assert_eq!(tenths(1_150_000, MEGA), 11);
        assert_eq!(tenths(1_050_000, MEGA), 11);
    }

    #[test]
    fn durations_of_less_and_more_than_a_day() {
        let clock = |ms| text(|out| duration(out, ms, DurationStyle::Clock));
        assert_eq!(clock(10_500), "    00:00:10.500");
        assert_eq!(clock(90_004_000), " 1d 01:00:04.000");
        assert_eq!(clock(100 * 86_400_000 + 1), "100d 00:00:00.001");
        assert_eq!(text(|out| duration(out, 90_004_000, DurationStyle::Seconds(16))), "       90004.000");
        assert_eq!(text(|out| duration(out, 10_500, DurationStyle::Seconds(0))), "10.500");
    }

    #[test]
    fn percentages_of_nothing_and_beyond_the_whole() {
        let percent = |part, whole| text(|out| percent(out, part, whole, 4));
        assert_eq!(percent(0, 0), " 0.0");
        assert_eq!(percent(1, 18), " 5.6");
        assert_eq!(percent(36, 18), "200.0");
    }

    #[test]
    fn rates_are_cut_as_floating_point_division_leaves_them() {
        assert_eq!(per_second(28, 1, 35), 799);
        assert_eq!(per_second(1_872, 8, 117), 127_999);
        assert_eq!(per_second(2_505_371_950_989, 8, 90_110_000), 222_427_872);
        assert_eq!(per_second(1, 8, 0), 0);
        assert_eq!(per_second(u64::MAX, 8, 1), u64::MAX);
    }

    #[test]
    fn hexadecimal_flags_and_labels() {
        assert_eq!(text(|out| hex(out, 0, 9)), "0x000000000");
        assert_eq!(text(|out| hex(out, 0xaabb_ccdd, 0)), "0xaabbccdd");
        assert_eq!(text(|out| mac(out, 0x0011_2233_4455)), "00:11:22:33:44:55");
        assert_eq!(text(|out| mpls(out, 1234 << 4 | 5 << 1, 12)), "    1234-5-0");
        assert_eq!(text(|out| tcp_flags(out, 0x1b)), "...AP.SF");
    }

    #[test]
    fn hostile_text_neither_breaks_lines_nor_json() {
        assert_eq!(printable(b"al\x1b[2Jice\nx\0y").collect::<Vec<_>>(), b"al.[2Jice.x");
        assert_eq!(text(|out| json_string(out, b"a\"b\\c\n\x01\xff\0z")), "a\\\"b\\\\c\\n\\u0001\u{fffd}");
    }
}
