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
pub(super) fn two(tens: u8, ones: u8) -> Option<i64> {
    let (t, o) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (t <= 9 && o <= 9).then(|| i64::from(t) * 10 + i64::from(o))
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
