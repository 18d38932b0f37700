//! First lines → the format that fits them, how well, and the runner-up.
//!
//! Never knows a format by its name. What a line is read as depends on that line and the file's first lines alone,
//! never on the lines between: so the result is the same however a file is cut.

mod explain;
mod wrapped;

pub use explain::{Explanation, Lost};
pub use wrapped::Unwrapped;

use std::ops::Deref;
use std::sync::Arc;

use crate::format::{Catalog, Definition};
use crate::model::Event;
use crate::parse::{Fields, LineParser, Marks, Projection, Quotes, Reject, Scratch};

/// Lines that are tried at the head of a file.
pub const HEAD_LINES: usize = 200;
/// Bytes that are looked at for them.
pub const HEAD_BYTES: usize = 64 * 1024;

/// The index of a format in [`Formats`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FormatId(pub u16);

/// All formats, compiled once.
#[derive(Debug)]
pub struct Formats {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    definition: Definition,
    /// For all values.
    full: LineParser,
    /// For what the survey counts.
    counting: LineParser,
}

impl Entry {
    fn new(definition: &Definition) -> Self {
        Self {
            definition: definition.clone(),
            full: LineParser::new(definition),
            counting: LineParser::projected(definition, Projection::Counts),
        }
    }
}

/// Formats in the order in which each line of a file is tried, and what the file's own head says about them.
#[derive(Debug, Clone, Default)]
pub struct Order {
    ids: Vec<FormatId>,
    /// Formats whose columns the head names, in place of the general ones of the same id.
    declared: Arc<[(FormatId, Entry)]>,
    /// What its lines wrap, if they do.
    within: Option<Arc<wrapped::Within>>,
}

impl Deref for Order {
    type Target = [FormatId];

    fn deref(&self) -> &[FormatId] {
        &self.ids
    }
}

impl Order {
    /// One of these formats alone, as the file's head declares it.
    #[must_use]
    pub fn only(&self, id: FormatId) -> Self {
        Self { ids: vec![id], declared: Arc::clone(&self.declared), within: None }
    }

    #[inline]
    fn entry<'a>(&'a self, id: FormatId, formats: &'a Formats) -> Option<&'a Entry> {
        if !self.declared.is_empty()
            && let Some((_, entry)) = self.declared.iter().find(|(declared, _)| *declared == id)
        {
            return Some(entry);
        }
        formats.entries.get(usize::from(id.0))
    }
}

/// Lines that each format gets, and what the head declares.
type Scores = (Vec<(usize, FormatId)>, Arc<[(FormatId, Entry)]>);

/// What the head of a file looks like.
#[derive(Debug, Clone)]
pub struct Sniffed {
    /// Formats in the order in which each line of the file is tried: the one that fits the head best first.
    pub order: Order,
    /// Share of the tried lines that the first accepts, in percent.
    pub confidence_percent: u8,
    /// The next best and its share, if it accepts any line.
    pub runner_up: Option<(FormatId, u8)>,
}

impl Formats {
    /// Compiles a catalog.
    pub fn new(catalog: &Catalog) -> Self {
        Self { entries: catalog.iter().map(Entry::new).collect() }
    }

    /// One format only, as the user named it.
    pub fn only(definition: &Definition) -> Self {
        Self { entries: vec![Entry::new(definition)] }
    }

    /// The definition behind an id.
    pub fn definition(&self, id: FormatId) -> Option<&Definition> {
        self.entries.get(usize::from(id.0)).map(|e| &e.definition)
    }

    /// All definitions, most specific first.
    pub fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.entries.iter().map(|e| &e.definition)
    }

    /// The program that writes lines of a format which do not name it.
    pub fn program(&self, id: FormatId) -> Option<&[u8]> {
        self.definition(id)?.program.as_deref().map(str::as_bytes)
    }

    fn ids(&self) -> impl Iterator<Item = FormatId> {
        (0..u16::try_from(self.entries.len()).unwrap_or(u16::MAX)).map(FormatId)
    }

    /// Tries every format on the first lines of `head`.
    pub fn sniff(&self, head: &[u8]) -> Sniffed {
        let head = head.get(..HEAD_BYTES).unwrap_or(head);
        let lines: Vec<&[u8]> = lines(head).filter(|l| !l.is_empty()).take(HEAD_LINES).collect();
        let (scores, declared) = self.scores(self.ids().collect(), &lines);
        let percent = |n: usize| u8::try_from(n * 100 / lines.len().max(1)).unwrap_or(100);
        let best = scores.first().filter(|s| s.0 > 0);
        Sniffed {
            confidence_percent: scores.first().map_or(0, |s| percent(s.0)),
            runner_up: scores.get(1).filter(|s| s.0 > 0).map(|s| (s.1, percent(s.0))),
            order: Order {
                ids: self.order(&scores),
                declared,
                within: best.and_then(|s| self.within(s.1, &lines)),
            },
        }
    }

    /// How many lines of a head each of these formats gets, the best first, and the columns that the head names.
    fn scores(&self, ids: Vec<FormatId>, lines: &[&[u8]]) -> Scores {
        let all = Order { ids, declared: self.declared(lines), within: None };
        let mut scratch = Scratch::default();
        let mut scores: Vec<(usize, FormatId)> = all.iter().map(|&id| (0, id)).collect();
        for line in lines {
            // a format that takes what is left gets only that; ids are in the order of rank, so it comes last
            let mut taken = false;
            for (score, id) in &mut scores {
                let Some(entry) = all.entry(*id, self) else { continue };
                if !(taken && entry.definition.is_fallback()) && entry.full.parse(line, &mut scratch).is_ok()
                {
                    *score = score.saturating_add(1);
                    taken = true;
                }
            }
        }
        // ids are in the order of rank, which settles ties
        scores.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        (scores, all.declared)
    }

    /// The formats whose columns a line of the head names.
    fn declared(&self, head: &[&[u8]]) -> Arc<[(FormatId, Entry)]> {
        let Some(line) = head.iter().find(|line| line.starts_with(b"#Fields:")) else {
            return Arc::default();
        };
        let declared = self.ids().zip(&self.entries);
        declared.filter_map(|(id, e)| Some((id, Entry::new(&e.definition.declared_by(line)?)))).collect()
    }

    /// The best first, but a format that takes what is left behind the more specific ones that the head has lines of;
    /// the rest by rank, so that the order depends on the head alone.
    fn order(&self, scores: &[(usize, FormatId)]) -> Vec<FormatId> {
        let Some(&(_, best)) = scores.first() else { return Vec::new() };
        let is_fallback = self.definition(best).is_some_and(Definition::is_fallback);
        let ahead = scores.iter().filter(|s| is_fallback && s.0 > 0 && s.1 < best).map(|s| s.1);
        let mut order: Vec<FormatId> = ahead.chain([best]).collect();
        let mut others: Vec<FormatId> = scores.iter().map(|s| s.1).filter(|id| !order.contains(id)).collect();
        others.sort();
        order.append(&mut others);
        order
    }

    /// Reads a line as the first format of `order` that accepts it.
    ///
    /// # Errors
    /// Why none does.
    pub fn parse<'a>(
        &self,
        order: &Order,
        line: &'a [u8],
        scratch: &mut Scratch,
    ) -> Result<(FormatId, Event<'a>), Reject> {
        let mut reason = Reject::Mismatch;
        for &id in &order.ids {
            let Some(entry) = order.entry(id, self) else { continue };
            match entry.full.parse(line, scratch) {
                Ok(event) => return Ok((id, event)),
                Err(Reject::Mismatch) => {}
                Err(other) => reason = other,
            }
        }
        Err(reason)
    }

    /// [`Self::parse`] for the survey: only what is counted, into `fields`; says which format and whether it is one of
    /// requests.
    ///
    /// # Errors
    /// Why no format accepts the line.
    pub fn count<'a>(
        &self,
        order: &Order,
        line: &'a [u8],
        fields: &mut Fields<'a>,
        scratch: &mut Scratch,
    ) -> Result<(FormatId, bool), Reject> {
        let best = self.best(order).ok_or(Reject::Mismatch)?;
        match best.count(line, Quotes::UNKNOWN, fields, scratch) {
            Err(reason) => self.count_others(reason, order, line, fields, scratch),
            read => read,
        }
    }

    /// What is to be marked in lines of the first format, beside their ends, before they are read.
    pub fn marks(&self, order: &Order) -> Option<Marks> {
        let first = order.ids.first().and_then(|id| order.entry(*id, self))?;
        if first.definition.continuation {
            return Some(Marks::of_messages(first.counting.wants_numbers()));
        }
        first.counting.wants_quotes().then(Marks::default)
    }

    /// The first format alone, which nearly all lines are of; `None` if there is none.
    pub fn best<'a>(&'a self, order: &'a Order) -> Option<Best<'a>> {
        let &id = order.ids.first()?;
        Some(Best { id, parser: &order.entry(id, self)?.counting })
    }

    /// [`Self::count`] with all but the first format, which rejects the line for `reason`.
    ///
    /// # Errors
    /// Why no format accepts the line.
    pub fn count_others<'a>(
        &self,
        mut reason: Reject,
        order: &Order,
        line: &'a [u8],
        fields: &mut Fields<'a>,
        scratch: &mut Scratch,
    ) -> Result<(FormatId, bool), Reject> {
        for &id in order.ids.iter().skip(1) {
            let Some(entry) = order.entry(id, self) else { continue };
            match entry.counting.fill(line, Quotes::UNKNOWN, fields, scratch) {
                Ok(()) => return Ok((id, entry.counting.is_access())),
                Err(Reject::Mismatch) => {}
                Err(other) => reason = other,
            }
        }
        Err(reason)
    }
}

/// The first format of a source.
#[derive(Debug, Clone, Copy)]
pub struct Best<'f> {
    /// Which it is.
    pub id: FormatId,
    /// What reads its lines for the survey.
    pub parser: &'f LineParser,
}

impl Best<'_> {
    /// [`Formats::count`] with this format.
    ///
    /// # Errors
    /// Why it does not accept the line.
    #[allow(
        clippy::inline_always,
        reason = "the path that every line takes: as a call it costs a tenth more"
    )]
    #[inline(always)]
    pub fn count<'a>(
        self,
        line: &'a [u8],
        quotes: Quotes<'_>,
        fields: &mut Fields<'a>,
        scratch: &mut Scratch,
    ) -> Result<(FormatId, bool), Reject> {
        self.parser.fill(line, quotes, fields, scratch)?;
        Ok((self.id, self.parser.is_access()))
    }
}

/// The lines of a chunk, without line ends, NULs at either end, or a byte order mark.
pub fn lines(chunk: &[u8]) -> impl Iterator<Item = &[u8]> {
    chunk.split_inclusive(|&b| b == b'\n').map(trim)
}

/// A line without its end (`\n`, `\r\n`), a byte order mark, and NULs that a crash left around it.
#[allow(clippy::inline_always, reason = "the path that every line takes")]
#[inline(always)]
pub fn trim(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    match line {
        [0 | 0xEF, ..] | [.., 0 | b'\r'] => trim_more(line),
        _ => line,
    }
}

#[inline(never)]
fn trim_more(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match line {
        [0, ..] | [.., 0] => {
            let start = line.iter().position(|&b| b != 0).unwrap_or(line.len());
            let end = line.iter().rposition(|&b| b != 0).map_or(start, |at| at + 1);
            line.get(start..end).unwrap_or_default()
        }
        [0xEF, 0xBB, 0xBF, rest @ ..] => rest,
        _ => line,
    }
}

#[cfg(test)]
mod peers;

#[cfg(test)]
mod tests {
    use super::*;

    const COMBINED: &str =
        r#"203.0.113.7 - - [14/May/2023:12:00:03 +0100] "GET / HTTP/1.1" 200 5 "-" "curl""#;

    fn formats() -> Formats {
        Formats::new(&Catalog::built_in().unwrap())
    }

    #[test]
    fn the_format_of_most_lines_wins_whatever_the_first_line_is() {
        let formats = formats();
        let head = format!("garbage\n{COMBINED}\n{COMBINED}\r\n2023/05/14 12:00:03 [notice] 1#1: start\n");
        let sniffed = formats.sniff(head.as_bytes());
        assert_eq!(formats.definition(sniffed.order[0]).unwrap().name, "combined");
        assert_eq!(sniffed.confidence_percent, 50);
        assert_eq!(formats.definition(sniffed.runner_up.unwrap().0).unwrap().name, "nginx-error");
    }

    #[test]
    fn a_line_of_another_format_is_still_read() {
        let formats = formats();
        let order = formats.sniff(COMBINED.as_bytes()).order;
        let line = b"2023/05/14 12:00:03 [notice] 1#1: start";
        assert!(formats.parse(&order, line, &mut Scratch::default()).is_ok());
    }

    #[test]
    fn a_file_names_its_own_columns() {
        let formats = formats();
        let head = "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n\
            #Fields: date time cs-host sc-status cs-method cs-uri-stem time-taken c-ip\n\
            2023-05-14 12:00:03 shop.example.com 502 GET /cart 46 203.0.113.7\n";
        let order = formats.sniff(head.as_bytes()).order;
        let line = b"2023-05-14 12:00:04 shop.example.com 200 GET / 3 203.0.113.8";
        let (id, event) = formats.parse(&order, line, &mut Scratch::default()).unwrap();
        assert_eq!(formats.definition(id).unwrap().name, "iis");
        let crate::model::Kind::Request(request) = event.kind else { panic!("a message") };
        assert_eq!(request.status.map(crate::model::Status::code), Some(200));
        assert_eq!(request.latency_us, Some(3_000));
        assert_eq!(request.client, Some(&b"203.0.113.8"[..]));
        assert_eq!(event.stamp.unwrap().offset, Some(crate::model::Offset(0)));
        // the directives are no records, and are no failures either
        let directive = formats.parse(&order, b"#Version: 1.0", &mut Scratch::default());
        assert_eq!(directive.unwrap_err(), Reject::Comment);
        // another file does not have these columns
        let other = formats.sniff(COMBINED.as_bytes()).order;
        let read = formats.parse(&other, line, &mut Scratch::default());
        assert!(!read.is_ok_and(|(_, event)| matches!(event.kind, crate::model::Kind::Request(_))));
    }

    #[test]
    fn what_is_left_is_read_behind_the_formats_that_the_head_has() {
        let formats = formats();
        let loose =
            r#"10.0.0.1, 10.0.0.2 - - [14/May/2023:12:00:03 +0100] "GET / HTTP/1.1" 200 5 "-" "curl""#;
        let name = |id: FormatId| formats.definition(id).unwrap().name.clone();
        let sniffed = formats.sniff(format!("{loose}\n{loose}\n{COMBINED}\n").as_bytes());
        assert_eq!(sniffed.confidence_percent, 66);
        assert_eq!(
            (name(sniffed.order[0]), name(sniffed.order[1])),
            ("combined".into(), "loose-access".into())
        );
        let sniffed = formats.sniff(format!("{COMBINED}\n{loose}\n{COMBINED}\n").as_bytes());
        assert_eq!(name(sniffed.order[0]), "combined");
        let at = |format: &str| sniffed.order.iter().position(|&id| name(id) == format).unwrap();
        assert!(at("loose-access") > at("json-access"));
    }

    #[test]
    fn line_ends_byte_order_marks_and_nul_padding_are_no_part_of_a_line() {
        assert_eq!(trim(b"a\r\n"), b"a");
        assert_eq!(trim(b"\0\0\0a\0\n"), b"a");
        assert_eq!(trim(b"\xEF\xBB\xBFa"), b"a");
        assert_eq!(trim(b"\0\0"), b"");
    }
}
