use proptest::prelude::*;

use super::*;
use crate::explain::facts::{EntryKind, Fact, Incident};
use crate::model::Untrusted;
use crate::report::fixtures::{
    HOSTILE, bad_gateway, empty, hostile, messages_only, one_of_two, quiet, silent_site, slow_site, style,
};
use crate::report::{Format, render};

fn made(report: &Report, name: &str) -> String {
    markdown(report, &Template::named(name).unwrap(), &style()).unwrap()
}

fn own(report: &Report, source: &str) -> Result<String, String> {
    let template = Template::parse("mine.md", source).map_err(|e| e.to_string())?;
    markdown(report, &template, &style()).map_err(|e| e.to_string())
}

fn page(report: &Report) -> String {
    let mut out = Vec::new();
    render(report, Format::Html, &style(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn incidents() -> [(&'static str, Report); 6] {
    [
        ("bad_gateway", bad_gateway()),
        ("one_of_two", one_of_two()),
        ("slow_site", slow_site()),
        ("silent_site", silent_site()),
        ("messages_only", messages_only()),
        ("hostile", hostile()),
    ]
}

#[test]
fn templates_look_like_this() {
    for name in Template::names().skip(1) {
        insta::assert_snapshot!(format!("{name}_bad_gateway"), made(&bad_gateway(), name));
        insta::assert_snapshot!(format!("{name}_one_of_two"), made(&one_of_two(), name));
        insta::assert_snapshot!(format!("{name}_hostile"), made(&hostile(), name));
    }
    insta::assert_snapshot!("html_bad_gateway", page(&bad_gateway()));
    insta::assert_snapshot!("html_hostile", page(&hostile()));
}

#[test]
fn every_template_takes_every_report() {
    for name in Template::names() {
        for (which, report) in incidents().into_iter().chain([("quiet", quiet()), ("empty", empty())]) {
            let text = made(&report, name);
            assert!(text.ends_with('\n') && !text.contains("\n\n\n"), "{name} of {which}: {text}");
            assert!(report.incidents.is_empty() || text.contains("**TODO**"), "{name} of {which}");
        }
    }
}

#[test]
fn drafts_are_as_long_as_they_should_be() {
    let mut bare = bad_gateway();
    let incident = &mut bare.incidents[0];
    (incident.suspects, incident.remedy, incident.first_alert) = (Vec::new(), Vec::new(), None);
    let edges = [EntryKind::IncidentStart, EntryKind::IncidentEnd];
    bare.timeline.retain(|row| edges.contains(&row.kind));
    for (which, report) in incidents().into_iter().chain([("bare", bare)]) {
        if which == "hostile" {
            continue;
        }
        let words = |name| made(&report, name).split_whitespace().filter(|word| *word != "|").count();
        let school = words("alx");
        assert!((400..=600).contains(&school), "{which}: {school} words");
        for name in Template::names() {
            assert!(words(name) <= 1200, "{name} of {which}: {} words", words(name));
        }
    }
}

#[test]
fn what_only_people_know_is_left_to_them() {
    let mut report = bad_gateway();
    let text = made(&report, "default");
    assert!(text.contains("9 min 57 s later: a monitor raised an alert"), "{text}");
    assert!(text.contains("4 s before the recovery: a service was started"), "{text}");
    let incident: &mut Incident = &mut report.incidents[0];
    incident.first_alert = None;
    incident.remedy.clear();
    report.timeline.retain(|row| row.kind != EntryKind::Change);
    let text = made(&report, "default");
    assert!(text.contains("No alert is in the logs while it lasted. At the earliest the share of 5xx answers could have shown it from 12:00:03 +01:00 on."), "{text}");
    assert!(text.contains("**TODO**: who or what noticed first"), "{text}");
    assert!(text.contains("No change is in the logs between start and recovery. **TODO**"), "{text}");
}

/// The text without code spans, where nothing is markup.
fn outside_of_code(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('`') {
        let (before, from) = rest.split_at(at);
        let fence = from.len() - from.trim_start_matches('`').len();
        let (ticks, inside) = from.split_at(fence);
        out.push_str(before);
        if before.ends_with('\\') {
            out.push('`');
            rest = &from[1..];
            continue;
        }
        let end = inside
            .match_indices(ticks)
            .map(|(at, _)| at)
            .find(|&at| !inside[at + fence..].starts_with('`') && !inside[..at].ends_with('`'));
        let end = end.unwrap_or_else(|| panic!("a span without an end: {line}"));
        rest = &inside[end + fence..];
    }
    out + rest
}

/// Asserts that a document has no markup of a log.
fn tame(text: &str) {
    for line in text.lines() {
        let bare = outside_of_code(line);
        let visible = bare.replace("\\[", "").replace("\\]", "").replace("\\!", "").replace("- [ ]", "");
        assert!(!visible.contains('<') && !visible.contains(['[', ']']), "{line}");
        assert!(!bare.contains("://") && !visible.contains('!'), "{line}");
    }
}

#[test]
fn a_hostile_log_stays_text_in_markdown() {
    for name in Template::names() {
        let text = made(&hostile(), name);
        tame(&text);
        for line in text.lines().filter(|line| line.starts_with('|')) {
            let cells = line.matches('|').count() - 1;
            assert!([2, 3, 4].contains(&cells), "{name}: {cells} cells: {line}");
        }
    }
}

#[test]
fn a_template_cannot_turn_escaping_off() {
    let mut report = hostile();
    report.incidents[0].evidence[0].text = "`x`[click](javascript:1)![i](http://e.example)<b>".into();
    for source in [
        "{{ incidents[0].evidence[0].text }}",
        "{{ incidents[0].evidence[0].text | safe }}",
        "{{ incidents[0].evidence[0].text | escape | safe }}",
        "{% autoescape false %}{{ incidents[0].evidence[0].text }}{% endautoescape %}",
        "{% autoescape 'html' %}{{ incidents[0].evidence[0].text | e }}{% endautoescape %}",
        "{% autoescape 'html' %}{% set x %}{{ incidents[0].evidence[0].text }}{% endset %}{{ x | replace('`', '') }}{% endautoescape %}",
        "{% filter replace('`', '') %}{{ incidents[0].evidence[0].text }}{% endfilter %}",
        "{% filter replace('\\\\', '') %}{{ incidents[0].evidence[0].text | upper }}{% endfilter %}",
        "{{ incidents[0].evidence[0].text | replace('`', '') }}",
        "{{ (incidents[0].evidence[0].text | string)[1:] }}",
        "{{ incidents[0].evidence[0].text ~ '' }}",
        "{{ [incidents[0].evidence[0].text] | join('') }}",
        "{{ [incidents[0].evidence[0].text] }}{{ incidents[0].evidence }}",
        "{{ '%s' | format(incidents[0].evidence[0].text) }}",
        "{{ incidents[0].evidence[0].text | cut(9) }}",
        "{{ incidents[0].evidence[0].text | split('x') | last }}",
    ] {
        match own(&report, source) {
            Ok(text) => tame(&text),
            Err(error) => assert!(error.starts_with("template mine.md"), "{source}: {error}"),
        }
    }
}

#[test]
fn what_is_wrong_with_a_template_is_told_with_its_line() {
    for (source, line, what) in [
        ("a\n{% for %}", 2, "syntax error"),
        ("a\nb\n{{ incidents[0].nothing }}", 3, "undefined value"),
        ("{{ incidents[0].title | no_such }}", 1, "unknown filter"),
        ("\n{% macro m() %}{% endmacro %}", 2, "unknown statement"),
        ("{% include 'other.md' %}", 1, "unknown statement"),
    ] {
        let error = own(&bad_gateway(), source).unwrap_err();
        assert!(error.starts_with(&format!("template mine.md, line {line}: ")), "{error}");
        assert!(error.contains(what), "{error}");
    }
    let endless = "{% for a in range(90000) %}{% for b in range(90000) %}x{% endfor %}{% endfor %}";
    assert!(own(&bad_gateway(), endless).unwrap_err().contains("takes too long"));
    let large = "{% for a in range(9000) %}{{ 'x' * 90000 }}{% endfor %}";
    assert!(own(&bad_gateway(), large).unwrap_err().contains("larger than 8 MB"));
    assert!(Template::parse("big", &"x".repeat(MAX_TEMPLATE + 1)).is_err());
}

#[test]
fn the_page_stands_alone_and_runs_nothing() {
    for (which, report) in incidents().into_iter().chain([("quiet", quiet()), ("empty", empty())]) {
        let page = page(&report);
        let head = page.find("<meta charset=\"utf-8\">").unwrap();
        assert!(head < 100 && page.find("Content-Security-Policy").unwrap() < page.find("<title>").unwrap());
        for what in [
            "<script", "<img", "<a ", "<link", "<iframe", "<object", "href=", "src=", "url(", "@import",
            "style=",
        ] {
            assert!(!page.contains(what), "{which}: {what}");
        }
        let style = page.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).unwrap().0;
        let hash = base64(&sha256(style.as_bytes()));
        assert!(page.contains(&format!("style-src 'sha256-{hash}'")), "the hash of the style is {hash}");
        let open = page.matches("<tr>").count();
        assert_eq!(open, page.matches("</tr>").count());
    }
    let page = page(&hostile());
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

#[test]
fn a_draft_of_much_stays_small() {
    let mut report = hostile();
    let long = Untrusted::new(&HOSTILE.repeat(40));
    let mut incident = report.incidents[0].clone();
    incident.suspects.iter_mut().for_each(|s| s.text = long.clone());
    incident.evidence = vec![incident.evidence[0].clone(); 2000];
    incident.evidence.iter_mut().for_each(|quote| quote.text = long.clone());
    report.incidents = vec![incident; 200];
    let row = report.timeline[3].clone();
    report.timeline = vec![row; 2000];
    report.timeline.iter_mut().for_each(|row| {
        if let Fact::Signature { text, .. } | Fact::FirstError { text, .. } = &mut row.fact {
            *text = long.clone();
        }
    });
    report.inputs = vec![report.inputs[2].clone(); 1000];
    for (at, input) in report.inputs.iter_mut().enumerate() {
        input.path = Untrusted::new(&[long.raw(), at.to_string().as_bytes(), b"x"].concat());
    }
    report.source_names.iter_mut().for_each(|name| *name = long.clone());
    assert!(page(&report).len() <= MAX_BYTES);
    for name in Template::names() {
        assert!(made(&report, name).len() <= MAX_BYTES);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn no_text_becomes_markup(text in "[`|<>\\[\\]()!*_#~\\\\a/:w.@ -]{0,40}") {
        let mut report = bad_gateway();
        report.incidents[0].evidence[0].text = text.as_str().into();
        report.incidents[0].suspects[0].text = text.as_str().into();
        report.source_names[0] = text.as_str().into();
        tame(&made(&report, "default"));
    }
}

/// FIPS 180-4, for one short text.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the first 32 bits of a fraction")]
fn sha256(text: &[u8]) -> Vec<u8> {
    let primes = || (2u64..).filter(|n| (2..*n).all(|d| n % d != 0));
    let fraction = |root: f64| (root.fract() * 4_294_967_296.0) as u32;
    let k: Vec<u32> = primes().take(64).map(|p| fraction((p as f64).cbrt())).collect();
    let mut h: Vec<u32> = primes().take(8).map(|p| fraction((p as f64).sqrt())).collect();
    let mut message = text.to_vec();
    message.push(0x80);
    while message.len() % 64 != 56 {
        message.push(0);
    }
    message.extend((text.len() as u64 * 8).to_be_bytes());
    for block in message.chunks(64) {
        let mut w: Vec<u32> = block.chunks(4).map(|b| u32::from_be_bytes(b.try_into().unwrap())).collect();
        for t in 16..64 {
            let s0 = w[t - 15].rotate_right(7) ^ w[t - 15].rotate_right(18) ^ (w[t - 15] >> 3);
            let s1 = w[t - 2].rotate_right(17) ^ w[t - 2].rotate_right(19) ^ (w[t - 2] >> 10);
            w.push(w[t - 16].wrapping_add(s0).wrapping_add(w[t - 7]).wrapping_add(s1));
        }
        let mut v = h.clone();
        for t in 0..64 {
            let s1 = v[4].rotate_right(6) ^ v[4].rotate_right(11) ^ v[4].rotate_right(25);
            let choice = (v[4] & v[5]) ^ (!v[4] & v[6]);
            let one = v[7].wrapping_add(s1).wrapping_add(choice).wrapping_add(k[t]).wrapping_add(w[t]);
            let s0 = v[0].rotate_right(2) ^ v[0].rotate_right(13) ^ v[0].rotate_right(22);
            let two = s0.wrapping_add((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
            v.rotate_right(1);
            v[4] = v[4].wrapping_add(one);
            v[0] = one.wrapping_add(two);
        }
        h.iter_mut().zip(v).for_each(|(h, v)| *h = h.wrapping_add(v));
    }
    h.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let bits =
                chunk.iter().fold(0u32, |bits, b| bits << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
            (0..4).map(move |at| {
                if at <= chunk.len() { DIGITS[(bits >> (18 - 6 * at)) as usize & 63] as char } else { '=' }
            })
        })
        .collect()
}

/// The names in a value, at any depth.
fn names(value: &serde_json::Value, found: &mut std::collections::BTreeSet<String>) {
    match value {
        serde_json::Value::Object(object) => object.iter().for_each(|(name, value)| {
            found.insert(name.clone());
            names(value, found);
        }),
        serde_json::Value::Array(list) => list.iter().for_each(|value| names(value, found)),
        _ => {}
    }
}

#[test]
fn every_field_is_documented() {
    let report = bad_gateway();
    let document = document::document(&report, &style(), Limits::of(&report));
    let mut found = std::collections::BTreeSet::new();
    names(&serde_json::to_value(&document).unwrap(), &mut found);
    let documented = include_str!("../../../docs/templates.md");
    for name in found {
        assert!(documented.contains(&format!("`{name}`")), "{name}");
    }
    for name in Template::names() {
        assert!(documented.contains(&format!("| `{name}` |")), "{name}");
    }
}
