//! `, key: value` pairs that a server puts behind its message.
//!
//! They are looked for from the end: what a client sent stands inside the quotes of earlier pairs.

use memchr::memmem;

use crate::format::Field;
use crate::model::Message;

/// Fills what the pairs say.
pub(super) fn read(keys: &[(Vec<u8>, Field)], message: &mut Message<'_>) {
    for (key, field) in keys {
        let Some(value) = value(message.text, key) else { continue };
        match field {
            Field::Client => message.client = Some(value),
            Field::Upstream => message.upstream = Some(value),
            Field::RequestLine => message.request = Some(value),
            Field::Vhost => message.vhost = Some(value),
            _ => {}
        }
    }
}

fn value<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let at = memmem::rfind(text, key)?.checked_add(key.len())?;
    let rest = text.get(at..)?;
    if let Some(quoted) = rest.strip_prefix(b"\"") {
        return quoted.get(..memchr::memchr(b'"', quoted)?);
    }
    rest.get(..memmem::find(rest, b", ").unwrap_or(rest.len()))
}
