//! Report → text, JSON, CSV: one file per renderer; Markdown and HTML: drafts arranged by templates.
//!
//! Computes no statistic; lets no byte of a log out but through [`escape`].

mod audit;
mod chart;
pub mod clients;
mod coverage;
mod csv;
pub mod draft;
pub mod escape;
mod figures;
mod headline;
mod json;
mod page;
pub mod people;
pub mod record;
pub mod redact;
mod schema;
mod text;
pub mod time;
mod visit;
pub mod wording;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

use std::io;

use crate::explain::facts::Report;
use crate::model::Timestamp;

pub use json::schema;

/// The media that a report can be rendered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For a terminal.
    #[default]
    Text,
    /// A post-mortem document to finish by hand.
    Markdown,
    /// For other tools: the contract `logtopsy/report/1`.
    Json,
    /// The timeline, for spreadsheets and timeline tools.
    Csv,
    /// The post-mortem document as a page that stands alone.
    Html,
}

/// How a report is rendered, apart from what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// The time of the run; a parameter, so that rendering has no clock.
    pub generated_at: Timestamp,
    /// Whether the text report may use colour codes.
    pub colour: bool,
    /// Columns of the terminal. `None` where there is none: laid out for 100, and no line is cut.
    pub width: Option<u16>,
    /// 0, or how many times more was asked for.
    pub verbose: u8,
}

/// Writes how incidents were found, by their positions in the report.
///
/// # Errors
/// What `out` returns.
pub fn explain(
    report: &Report,
    incidents: &[usize],
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    audit::render(report, incidents, style, out)
}

/// Writes the report.
///
/// # Errors
/// What `out` returns; rendering itself cannot fail on any content.
pub fn render(report: &Report, format: Format, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    match format {
        Format::Text => text::render(report, style, out),
        Format::Markdown => {
            let template = draft::Template::default();
            let draft = draft::markdown(report, &template, style).map_err(io::Error::other)?;
            out.write_all(draft.as_bytes())
        }
        Format::Json => json::render(report, style, out),
        Format::Csv => csv::render(report, out),
        Format::Html => draft::html(report, style, out),
    }
}
