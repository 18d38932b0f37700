//! The project's own pattern notation, for logs whose writers have none.
//!
//! `{field}` is a value, `( … )?` may be missing, a space is any run of spaces, `\` makes the next character plain.

use super::{Field, LevelNotation, TimeNotation, Token};

const FIELDS: &[(&str, Field)] = &[
    ("client", Field::Client),
    ("client:port", Field::ClientPort),
    ("client:list", Field::ClientList),
    ("user", Field::User),
    ("time:clf", Field::Time(TimeNotation::Clf)),
    ("time:clf_loose", Field::Time(TimeNotation::ClfLoose)),
    ("time:iso", Field::Time(TimeNotation::Iso)),
    ("time:utc", Field::Time(TimeNotation::IsoUtc)),
    ("time:epoch", Field::Time(TimeNotation::Epoch)),
    ("time:slashed", Field::Time(TimeNotation::Slashed)),
    ("time:syslog", Field::Time(TimeNotation::Syslog)),
    ("time:day_first", Field::Time(TimeNotation::DayFirst)),
    ("time:short", Field::Time(TimeNotation::Short)),
    ("time:klog", Field::Time(TimeNotation::Klog)),
    ("time:rfc3339", Field::Time(TimeNotation::Rfc3339)),
    ("time:asctime", Field::Time(TimeNotation::Asctime)),
    ("request", Field::RequestLine),
    ("method", Field::Method),
    ("path", Field::Path),
    ("protocol", Field::Protocol),
    ("status", Field::Status),
    ("bytes", Field::Bytes),
    ("latency:s", Field::Latency { unit_us: 1_000_000, nanos: false }),
    ("latency:ms", Field::Latency { unit_us: 1_000, nanos: false }),
    ("latency:us", Field::Latency { unit_us: 1, nanos: false }),
    ("latency:vague", Field::Latency { unit_us: 0, nanos: false }),
    ("vhost", Field::Vhost),
    ("upstream", Field::Upstream),
    ("upstream_status", Field::UpstreamStatus),
    ("referrer", Field::Referrer),
    ("user_agent", Field::UserAgent),
    ("level", Field::Level),
    ("level:letter", Field::LevelAs(LevelNotation::Letter)),
    ("level:mark", Field::LevelAs(LevelNotation::Mark)),
    ("level:priority", Field::LevelAs(LevelNotation::Priority)),
    ("level:last", Field::LevelAs(LevelNotation::Last)),
    ("host", Field::Host),
    ("zone", Field::Abbreviation),
    ("component", Field::Component),
    ("pid", Field::Pid),
    ("number", Field::Number),
    ("message", Field::Message),
    ("word", Field::Word),
    ("any", Field::Ignored),
];

/// The meaning of a field's name in a definition file.
pub(super) fn field(name: &str) -> Option<Field> {
    FIELDS.iter().find(|(n, _)| *n == name).map(|&(_, f)| f)
}

/// Tokens of a pattern.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut chars = text.chars();
    let out = sequence(&mut chars, false)?;
    Ok(out)
}

fn sequence(chars: &mut std::str::Chars<'_>, inside: bool) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut literal = String::new();
    let flush = |literal: &mut String, out: &mut Vec<Token>| {
        if !literal.is_empty() {
            out.push(Token::Literal(std::mem::take(literal).into_bytes()));
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '\\' => literal.extend(chars.next()),
            ' ' => {
                flush(&mut literal, &mut out);
                out.push(Token::Space);
            }
            '{' => {
                flush(&mut literal, &mut out);
                let name: String = chars.by_ref().take_while(|&c| c != '}').collect();
                let field = field(&name).ok_or_else(|| format!("{{{name}}} is no field"))?;
                out.push(Token::Value { field, list: false });
            }
            '(' => {
                flush(&mut literal, &mut out);
                out.push(Token::Optional(sequence(chars, true)?));
            }
            ')' if inside => {
                if chars.next() != Some('?') {
                    return Err("a group needs a '?' behind it".into());
                }
                flush(&mut literal, &mut out);
                return Ok(out);
            }
            other => literal.push(other),
        }
    }
    if inside {
        return Err("a '(' is not closed".into());
    }
    flush(&mut literal, &mut out);
    Ok(out)
}
