//! nginx `log_format` strings.
//!
//! <https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format>

use super::{Field, TimeNotation, Token};

const SECONDS: Field = Field::Latency { unit_us: 1_000_000, nanos: false };

/// Variables with a meaning; the others are passed over.
const VARIABLES: &[(&str, Field)] = &[
    ("remote_addr", Field::Client),
    ("realip_remote_addr", Field::Ignored),
    ("http_x_forwarded_for", Field::ClientList),
    ("proxy_add_x_forwarded_for", Field::ClientList),
    ("http_x_real_ip", Field::ClientList),
    ("remote_user", Field::User),
    ("time_local", Field::Time(TimeNotation::Clf)),
    ("time_iso8601", Field::Time(TimeNotation::Iso)),
    ("msec", Field::Time(TimeNotation::Epoch)),
    ("request", Field::RequestLine),
    ("request_method", Field::Method),
    ("request_uri", Field::Path),
    ("uri", Field::Path),
    ("document_uri", Field::Path),
    ("server_protocol", Field::Protocol),
    ("status", Field::Status),
    ("body_bytes_sent", Field::Bytes),
    ("bytes_sent", Field::Bytes),
    ("request_time", SECONDS),
    ("http_referer", Field::Referrer),
    ("http_user_agent", Field::UserAgent),
    ("host", Field::Vhost),
    ("http_host", Field::Vhost),
    ("server_name", Field::Vhost),
    ("upstream_addr", Field::Upstream),
    ("upstream_status", Field::UpstreamStatus),
];

/// Tokens of a `log_format` string, and whether it asks for `escape=json`.
///
/// Accepts the bare string or the whole directive (`log_format main '…' '…';`).
pub(super) fn tokens(text: &str) -> Result<(Vec<Token>, bool), String> {
    let (text, json) = unwrap_directive(text);
    let mut out: Vec<Token> = Vec::new();
    let mut literal = String::new();
    let mut seen = Vec::new();
    let names = names(&text);
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        if c != '$' {
            literal.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            continue;
        }
        let (name, after) = variable(rest.get(1..).unwrap_or_default());
        if name.is_empty() {
            return Err(format!("'$' without a variable name at '{rest}'"));
        }
        if literal.is_empty() && !out.is_empty() {
            return Err(format!(
                "${name} follows another variable without anything between them; such lines cannot be taken apart"
            ));
        }
        if !literal.is_empty() {
            out.push(Token::Literal(std::mem::take(&mut literal).into_bytes()));
        }
        out.push(Token::Value {
            field: meaning(name, &names, &mut seen),
            list: name.starts_with("upstream_") || name.contains("forwarded_for"),
        });
        rest = after;
    }
    if !literal.is_empty() {
        out.push(Token::Literal(literal.into_bytes()));
    }
    if seen.iter().all(|f| !matches!(f, Field::Time(_))) {
        return Err("the log_format has no $time_local, $time_iso8601 or $msec: lines without a time say nothing about an outage".into());
    }
    Ok((out, json))
}

/// What a variable means here, among the names of them all. A meaning is given once: `$uri` beside `$request` is
/// passed over, and so is a clock coarser than another one in the same line.
fn meaning(name: &str, names: &[&str], seen: &mut Vec<Field>) -> Field {
    let known = VARIABLES.iter().find(|(n, _)| *n == name).map_or(Field::Ignored, |&(_, f)| f);
    let has = |other: &str| names.contains(&other);
    let field = match known {
        // a header is what the client likes to say; without the connection's address it is all there is
        Field::ClientList if has("remote_addr") => Field::Ignored,
        // $msec says the same instant with milliseconds
        Field::Time(notation) if notation != TimeNotation::Epoch && has("msec") => Field::Ignored,
        Field::Bytes if name == "bytes_sent" && has("body_bytes_sent") => Field::Ignored,
        Field::Path | Field::Method | Field::Protocol if has("request") => Field::Ignored,
        Field::Path if name != "request_uri" && has("request_uri") => Field::Ignored,
        other => other,
    };
    let same_kind = |f: &Field| std::mem::discriminant(f) == std::mem::discriminant(&field);
    if field != Field::Ignored && seen.iter().any(same_kind) {
        return Field::Ignored;
    }
    seen.push(field);
    field
}

/// The names of all variables in a format.
fn names(text: &str) -> Vec<&str> {
    text.split('$').skip(1).map(|rest| variable(rest).0).collect()
}

fn variable(rest: &str) -> (&str, &str) {
    if let Some(braced) = rest.strip_prefix('{') {
        return braced.split_once('}').unwrap_or((braced, ""));
    }
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    rest.split_at_checked(end).unwrap_or((rest, ""))
}

/// Takes `log_format name [escape=…] 'a' 'b';` apart; anything else is the string itself.
fn unwrap_directive(text: &str) -> (String, bool) {
    let trimmed = text.trim();
    let Some(directive) = trimmed.strip_prefix("log_format") else {
        return (text.trim_end_matches('\n').to_owned(), false);
    };
    let json = directive.contains("escape=json");
    let mut out = String::new();
    let mut rest = directive;
    while let Some(open) = rest.find(['\'', '"']) {
        let quote = rest.get(open..=open).unwrap_or("'");
        let body = rest.get(open.saturating_add(1)..).unwrap_or_default();
        let Some((inside, after)) = body.split_once(quote) else { break };
        out.push_str(inside);
        rest = after;
    }
    (out, json)
}
