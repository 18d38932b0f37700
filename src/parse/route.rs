//! Values as requests are told apart by: paths without ids, the upstream that answered.

use super::find::either;

/// Longer paths are cut: what tells routes apart stands at the front.
const MOST: usize = 128;

/// A path (unescaped) without its query, ids replaced: `/orders/8123` → `/orders/{n}`. Appends to `out`, which is empty;
/// at most 128 bytes.
pub fn normalise(path: &[u8], out: &mut Vec<u8>) {
    let path = path.split(|&b| b == b'?').next().unwrap_or(path);
    for (i, segment) in path.split(|&b| b == b'/').enumerate() {
        if i > 0 {
            out.push(b'/');
        }
        let digits = segment.iter().filter(|b| b.is_ascii_digit()).count();
        let hex = segment.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-');
        match segment {
            [] => {}
            _ if digits == segment.len() => out.extend_from_slice(b"{n}"),
            _ if hex && segment.len() >= 12 && digits > 0 => out.extend_from_slice(b"{id}"),
            other => out.extend_from_slice(other),
        }
        if out.len() > MOST {
            out.truncate(MOST);
            return;
        }
    }
}

/// The last upstream of a list is the one whose answer the client got.
pub fn last_of_list(value: &[u8]) -> &[u8] {
    if either(value, b',', b' ').is_none() {
        return value;
    }
    let last = value.rsplit(|&b| b == b',').next().unwrap_or(value);
    let last = last.rsplit(|&b| b == b' ').next().unwrap_or(last);
    if last.is_empty() { value } else { last }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> String {
        let mut out = Vec::new();
        normalise(path.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn ids_and_queries_are_no_part_of_a_route() {
        assert_eq!(route("/orders/8123/items?page=2"), "/orders/{n}/items");
        assert_eq!(route("/o/6f1e0a52-77aa-4c1b-9a67-0d1f6c3f8b11"), "/o/{id}");
        assert_eq!(route("/static/app.css"), "/static/app.css");
        assert_eq!(route(""), "");
        assert_eq!(route(&"/long".repeat(100)).len(), 128);
    }

    #[test]
    fn the_last_upstream_answered() {
        assert_eq!(last_of_list(b"10.0.0.1:80, 10.0.0.2:80"), b"10.0.0.2:80");
        assert_eq!(last_of_list(b"10.0.0.1:80 : 10.0.0.2:80"), b"10.0.0.2:80");
        assert_eq!(last_of_list(b"app"), b"app");
        assert_eq!(last_of_list(b"app, "), b"app, ");
    }
}
