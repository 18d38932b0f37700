//! Numbers as logs write them, without floating point on the hot path.

use super::find::digits;

/// A whole number of at most 19 digits, all of `text`.
pub(super) fn whole(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    let mut value = 0u64;
    for &b in text {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    Some(value)
}

/// Two digits as a number.
#[inline]
pub(super) fn two(tens: u8, ones: u8) -> Option<i64> {
    let (t, o) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (t <= 9 && o <= 9).then(|| i64::from(t) * 10 + i64::from(o))
}

/// Three digits as a number.
#[allow(clippy::inline_always, reason = "the path that every line takes")]
#[inline(always)]
pub(super) fn three(digits: [u8; 3]) -> Option<u16> {
    let [a, b, c] = digits.map(|digit| digit.wrapping_sub(b'0'));
    // whether one is wrong is not worth three guesses
    (a.max(b).max(c) <= 9).then(|| u16::from(a) * 100 + u16::from(b) * 10 + u16::from(c))
}

/// A decimal number (`0.004`, `12`, `1e-3`) times `unit`, rounded down; `None` for anything else or negative.
pub(super) fn scaled(text: &[u8], unit: u32) -> Option<u64> {
    let split = digits(text);
    let (head, rest) = text.split_at_checked(split)?;
    let mut value = if head.is_empty() { 0 } else { whole(head)?.checked_mul(u64::from(unit))? };
    match rest {
        [] if !head.is_empty() => Some(value),
        [b'.' | b',', fraction @ ..]
            if digits(fraction) == fraction.len() && !(head.is_empty() && fraction.is_empty()) =>
        {
            let mut weight = u64::from(unit);
            for &b in fraction {
                weight /= 10;
                value = value.checked_add(u64::from(b.wrapping_sub(b'0')).wrapping_mul(weight))?;
            }
            Some(value)
        }
        _ => {
            let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
            let scaled = number * f64::from(unit);
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked to lie inside"
            )]
            (0.0..1e18).contains(&scaled).then_some(scaled as u64)
        }
    }
}

/// A latency as nginx writes most of them: under ten seconds, with three digits behind the point.
#[inline]
pub(super) fn nginx_seconds_us(text: &[u8], unit_us: u32, nanos: bool) -> Option<u64> {
    let &[s, b'.', a, b, c] = text else { return None };
    let (seconds, millis) = (s.wrapping_sub(b'0'), three([a, b, c])?);
    let latency = u64::from(seconds) * 1_000_000 + u64::from(millis) * 1_000;
    (seconds <= 9 && unit_us == 1_000_000 && !nanos).then_some(latency)
}

/// A latency whose field says its unit; 0 is no unit: only a fraction tells that it is seconds.
pub(super) fn latency_us(text: &[u8], unit_us: u32, nanos: bool) -> Option<u64> {
    if let Some(latency) = nginx_seconds_us(text, unit_us, nanos) {
        return Some(latency);
    }
    let unit = match unit_us {
        0 if text.contains(&b'.') => 1_000_000,
        other => other,
    };
    // what is spelt with its unit is no number
    let number = if unit == 0 { None } else { scaled(text, unit) };
    number.map(|n| if nanos { n / 1_000 } else { n }).or_else(|| duration_us(text))
}

/// Units of a spelt duration, the longer before its own beginning.
const UNITS: &[(&[u8], u64)] = &[
    (b"ns", 1),
    (b"us", 1_000),
    ("\u{b5}s".as_bytes(), 1_000),
    ("\u{3bc}s".as_bytes(), 1_000),
    (b"ms", 1_000_000),
    (b"s", 1_000_000_000),
    (b"m", 60_000_000_000),
    (b"h", 3_600_000_000_000),
];

/// Microseconds of `247ms`, `1.5s`, `1m2.5s` (as Go spells durations); `None` for anything else.
pub(super) fn duration_us(text: &[u8]) -> Option<u64> {
    let mut rest = text;
    let mut nanos = 0u64;
    while !rest.is_empty() {
        let number = rest.iter().position(|b| !matches!(b, b'0'..=b'9' | b'.')).filter(|&n| n > 0)?;
        let (number, tail) = rest.split_at_checked(number)?;
        let (unit, per) = UNITS.iter().find(|(unit, _)| tail.starts_with(unit))?;
        // seconds and more are counted in microseconds first, so that the product fits
        nanos = nanos.checked_add(match u32::try_from(*per) {
            Ok(per) => scaled(number, per)?,
            Err(_) => scaled(number, 1_000_000)?.checked_mul(per / 1_000_000)?,
        })?;
        rest = tail.get(unit.len()..)?;
    }
    (!text.is_empty()).then_some(nanos / 1_000)
}

#[cfg(test)]
mod tests {
    use super::{duration_us, latency_us};

    #[test]
    fn spelt_durations_are_read() {
        let read = |text: &str| duration_us(text.as_bytes());
        assert_eq!(read("247ms"), Some(247_000));
        assert_eq!(read("968.030256ms"), Some(968_030));
        assert_eq!(read("1m2.5s"), Some(62_500_000));
        assert_eq!(read("12\u{b5}s"), Some(12));
        assert_eq!(read("1h"), Some(3_600_000_000));
        assert_eq!(latency_us(b"1500000", 1, true), Some(1_500));
        assert_eq!(latency_us(b"1.5ms", 1, true), Some(1_500));
        assert_eq!(latency_us(b"1.205", 1_000_000, false), Some(1_205_000));
        assert_eq!(
            (latency_us(b"1.x05", 1_000_000, false), latency_us(b"1.205", 1_000, false)),
            (None, Some(1_205))
        );
        assert_eq!((latency_us(b"12", 0, false), latency_us(b"0.25", 0, false)), (None, Some(250_000)));
        for wrong in ["", "ms", "5", "5x", "-1s", "1.2.3s"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
