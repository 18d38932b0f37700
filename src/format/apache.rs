//! Apache `LogFormat` strings.
//!
//! <https://httpd.apache.org/docs/2.4/mod/mod_log_config.html#formats>

use super::{Field, TimeNotation, Token};

/// Tokens of a `LogFormat` string; the second value is always false (Apache escapes with backslashes).
///
/// Accepts the bare string or the whole directive (`LogFormat "…" combined`).
pub(super) fn tokens(text: &str) -> Result<(Vec<Token>, bool), String> {
    let text = unwrap_directive(text);
    let mut out: Vec<Token> = Vec::new();
    let mut literal = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => literal.push(match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some(other) => other,
                None => '\\',
            }),
            '%' if chars.peek() == Some(&'%') => {
                chars.next();
                literal.push('%');
            }
            '%' => {
                let mut directive = String::new();
                let mut argument = None;
                for d in chars.by_ref() {
                    if d == '{' {
                        argument = Some(String::new());
                    } else if let Some(arg) = argument.as_mut().filter(|_| !directive.ends_with('}')) {
                        if d == '}' { directive.push('}') } else { arg.push(d) }
                    } else if d.is_ascii_alphabetic() || d == '^' {
                        directive.push(d);
                        // %^FB and %^FU have two letters more
                        if d != '^' && !(directive.contains('^') && directive.len() < 3) {
                            break;
                        }
                    } else if !matches!(d, '<' | '>' | '!' | ',' | '0'..='9') {
                        return Err(format!("'%{d}' is no LogFormat directive"));
                    }
                }
                push(&mut out, &mut literal, &directive, argument.as_deref())?;
            }
            other => literal.push(other),
        }
    }
    if !literal.is_empty() {
        out.push(Token::Literal(literal.into_bytes()));
    }
    if !out.iter().any(|t| matches!(t, Token::Value { field: Field::Time(_), .. })) {
        return Err("the LogFormat has no %t: lines without a time say nothing about an outage".into());
    }
    Ok((out, false))
}

fn push(
    out: &mut Vec<Token>,
    literal: &mut String,
    directive: &str,
    argument: Option<&str>,
) -> Result<(), String> {
    let letter = directive.trim_start_matches('}').chars().next();
    let mut field = match (letter, argument) {
        (Some('h' | 'a'), _) => Field::Client,
        (Some('u'), _) => Field::User,
        (Some('t'), _) => time(argument)?,
        (Some('r'), _) => Field::RequestLine,
        (Some('m'), _) => Field::Method,
        (Some('U'), _) => Field::Path,
        (Some('H'), _) => Field::Protocol,
        (Some('s'), _) => Field::Status,
        (Some('b' | 'B' | 'O'), _) => Field::Bytes,
        (Some('T'), None | Some("s")) => Field::Latency { unit_us: 1_000_000, nanos: false },
        (Some('T'), Some("ms")) => Field::Latency { unit_us: 1_000, nanos: false },
        (Some('D'), _) | (Some('T'), Some("us")) => Field::Latency { unit_us: 1, nanos: false },
        (Some('v' | 'V'), _) => Field::Vhost,
        (Some('p' | 'P' | 'k' | 'I'), None) => Field::Number,
        (Some('i'), Some(header)) => match header.to_ascii_lowercase().as_str() {
            "referer" => Field::Referrer,
            "user-agent" => Field::UserAgent,
            "host" => Field::Vhost,
            _ => Field::Ignored,
        },
        _ => Field::Ignored,
    };
    // of two latencies the finer one counts: %T beside %D
    if let Field::Latency { unit_us: new, .. } = field {
        for token in out.iter_mut() {
            if let Token::Value { field: old @ Field::Latency { .. }, .. } = token
                && matches!(old, Field::Latency { unit_us, .. } if *unit_us > new)
            {
                *old = Field::Ignored;
            }
        }
    }
    let taken = |f: Field| {
        out.iter().any(|t| matches!(t, Token::Value { field, .. } if std::mem::discriminant(field) == std::mem::discriminant(&f)))
    };
    if field != Field::Ignored && taken(field) {
        field = Field::Ignored;
    }
    // %t brings its own brackets unless it has a format
    if letter == Some('t') && argument.is_none() {
        literal.push('[');
    }
    if !literal.is_empty() {
        out.push(Token::Literal(std::mem::take(literal).into_bytes()));
    } else if !out.is_empty() {
        return Err(format!(
            "%{directive} follows another directive without anything between them; such lines cannot be taken apart"
        ));
    }
    out.push(Token::Value {
        field,
        list: matches!((letter, argument), (Some('i'), Some(h)) if h.eq_ignore_ascii_case("x-forwarded-for")),
    });
    if letter == Some('t') && argument.is_none() {
        literal.push(']');
    }
    Ok(())
}

fn time(argument: Option<&str>) -> Result<Field, String> {
    Ok(Field::Time(match argument {
        None | Some("%d/%b/%Y:%H:%M:%S %z" | "%d/%b/%Y:%T %z") => TimeNotation::Clf,
        Some("sec") => TimeNotation::Epoch,
        Some("msec") => TimeNotation::EpochMillis,
        Some(f) if f.starts_with("%Y-%m-%d") || f.starts_with("%F") => TimeNotation::Iso,
        Some("msec_frac" | "usec_frac") => return Ok(Field::Ignored),
        Some(other) => {
            return Err(format!("%{{{other}}}t: this time format is not supported; use %t or an ISO date"));
        }
    }))
}

/// Takes `LogFormat "…" name` apart; anything else is the string itself.
fn unwrap_directive(text: &str) -> String {
    let trimmed = text.trim();
    let Some(directive) = trimmed.strip_prefix("LogFormat") else {
        return text.trim_end_matches('\n').to_owned();
    };
    let body = directive.trim();
    let end = body.rfind('"').unwrap_or(body.len());
    body.get(1..end).unwrap_or(body).to_owned()
}
