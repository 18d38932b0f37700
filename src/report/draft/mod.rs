//! Report → a draft of a post-mortem, arranged by a template: one of ours or the user's.
//!
//! A template gets facts that are worded already (`document`) and arranges them; it can't take back how the words of logs
//! are escaped (`words`). `docs/templates.md` lists every field.

mod chart;
mod document;
mod incident;
mod rows;
#[cfg(test)]
mod tests;
mod words;

use std::io;

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};

use crate::error::Error;
use crate::explain::facts::Report;

use super::Style;
use document::Limits;
use words::Medium;

/// The templates that come with the program, the default first.
const BUILT_IN: [(&str, &str); 4] = [
    ("default", include_str!("../templates/default.md")),
    ("google-sre", include_str!("../templates/google-sre.md")),
    ("alx", include_str!("../templates/alx.md")),
    ("pagerduty", include_str!("../templates/pagerduty.md")),
];
/// The page of `--format html`.
const PAGE: &str = include_str!("../templates/default.html");
/// Instructions of a template: a loop over all that a draft holds takes a hundredth of it.
const FUEL: u64 = 5_000_000;
/// Templates inside templates; ours need none.
const MAX_DEPTH: usize = 32;
/// Bytes of a template: ours have three thousand.
const MAX_TEMPLATE: usize = 1 << 20;
/// Bytes of a draft; people read it, browsers load it whole.
const MAX_BYTES: usize = 8_000_000;

/// The layout of a draft in Markdown.
#[derive(Debug, Clone)]
pub struct Template {
    name: String,
    source: String,
}

impl Default for Template {
    fn default() -> Self {
        let (name, source) = BUILT_IN.first().copied().unwrap_or_default();
        Self { name: name.to_owned(), source: source.to_owned() }
    }
}

impl Template {
    /// The names of the templates that come with the program.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// One of the templates that come with the program.
    pub fn named(name: &str) -> Option<Self> {
        let (name, source) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Self { name: (*name).to_owned(), source: (*source).to_owned() })
    }

    /// A template of the user's, checked for its syntax; `name` is for messages.
    ///
    /// # Errors
    /// [`Error::Usage`] with the name and the line.
    pub fn parse(name: &str, source: &str) -> Result<Self, Error> {
        if source.len() > MAX_TEMPLATE {
            return Err(Error::Usage(format!("template {name}: it is larger than 1 MiB")));
        }
        environment(Medium::Markdown)
            .add_template_owned(name.to_owned(), source.to_owned())
            .map_err(|error| usage(name, &error))?;
        Ok(Self { name: name.to_owned(), source: source.to_owned() })
    }
}

/// The draft in Markdown.
///
/// # Errors
/// [`Error::Usage`] with the template's name and line, if it asks for what there is not or takes too long.
pub fn markdown(report: &Report, template: &Template, style: &Style) -> Result<String, Error> {
    fill(report, style, Medium::Markdown, (&template.name, &template.source))
}

/// Writes the draft of the default template as a page of HTML that stands alone.
pub(super) fn html(report: &Report, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let page = fill(report, style, Medium::Html, ("default.html", PAGE)).map_err(io::Error::other)?;
    out.write_all(page.as_bytes())
}

fn environment(medium: Medium) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_keep_trailing_newline(true);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(MAX_DEPTH);
    // What blocks capture stays a string like any other: nothing is marked as safe.
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(move |out, _, value| words::print(medium, value, out).map_err(Into::into));
    let same = |value: Value| value;
    for name in ["safe", "escape", "e"] {
        environment.add_filter(name, same);
    }
    environment.add_filter("cut", |value: Value, most: usize| words::cut(&value, most));
    environment
}

/// Fills a template; what would be too large is told with fewer incidents.
fn fill(
    report: &Report,
    style: &Style,
    medium: Medium,
    (name, source): (&str, &str),
) -> Result<String, Error> {
    let environment = environment(medium);
    let mut limits = Limits::of(report);
    loop {
        let document = document::document(report, style, limits);
        let mut page = Bounded::default();
        let template = environment.template_from_named_str(name, source);
        let filled = template.and_then(|template| template.render_captured_to(document, &mut page).map(drop));
        if !page.full {
            filled.map_err(|error| usage(name, &error))?;
            return Ok(tidied(&String::from_utf8_lossy(&page.text)));
        }
        limits = limits.halved().ok_or_else(|| {
            Error::Usage(format!("template {name}: the draft is larger than {} MB", MAX_BYTES / 1_000_000))
        })?;
    }
}

/// A page that ends at `MAX_BYTES`.
#[derive(Default)]
struct Bounded {
    text: Vec<u8>,
    full: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.full |= bytes.len() > MAX_BYTES.saturating_sub(self.text.len());
        if self.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One empty line where a template left several, none at either end.
fn tidied(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 0usize;
    for line in text.trim_matches('\n').lines() {
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty < 2 {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

fn usage(name: &str, error: &minijinja::Error) -> Error {
    let line = error.line().map(|line| format!(", line {line}")).unwrap_or_default();
    let what = match error.kind() {
        ErrorKind::OutOfFuel => "it takes too long; is a loop too large?".to_owned(),
        kind => error.detail().map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}")),
    };
    Error::Usage(format!("template {name}{line}: {what}"))
}
