//! Which format takes a line, and why the runner-up does not.

use super::{FormatId, Formats};
use crate::model::Event;
use crate::parse::{Scratch, Stop};

/// What becomes of one line.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation<'a> {
    /// The format that reads it, and what it reads; `None` if no format fits.
    pub taken_by: Option<(FormatId, Event<'a>)>,
    /// The format that came next, and why it lost.
    pub runner_up: Option<(FormatId, Lost)>,
}

/// Why a format does not read a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// It would, but the one that does is more specific.
    LessSpecific,
    /// It stopped within the line.
    Stopped(Stop),
}

impl Formats {
    /// Puts one line through detection and says how it went.
    pub fn explain_line<'a>(&self, line: &'a [u8]) -> Explanation<'a> {
        let order = self.sniff(line).order;
        let taken_by = self.parse(&order, line, &mut Scratch::default()).ok();
        let winner = taken_by.as_ref().map(|(id, _)| *id);
        let mut runner_up: Option<(FormatId, Lost)> = None;
        for &id in order.iter().filter(|id| Some(**id) != winner) {
            let Some(entry) = order.entry(id, self) else { continue };
            let lost = entry.full.stop(line).map_or(Lost::LessSpecific, Lost::Stopped);
            let better = match (&lost, runner_up.as_ref().map(|(_, best)| best)) {
                (_, None) | (Lost::LessSpecific, Some(Lost::Stopped(_))) => true,
                (Lost::Stopped(stop), Some(Lost::Stopped(best))) => stop.at > best.at,
                (_, Some(Lost::LessSpecific)) => false,
            };
            if better {
                runner_up = Some((id, lost));
            }
        }
        Explanation { taken_by, runner_up }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Catalog;

    #[test]
    fn a_line_is_explained() {
        let formats = Formats::new(&Catalog::built_in().unwrap());
        let name = |id: FormatId| formats.definition(id).unwrap().name.as_str();
        let line = br#"203.0.113.7 - - [14/May/2023:12:00:03 +0100] "GET / HTTP/1.1" 200 5 "-" "curl""#;
        let explained = formats.explain_line(line);
        assert_eq!(explained.taken_by.map(|(id, _)| name(id)), Some("combined"));
        let (id, lost) = explained.runner_up.unwrap();
        assert_eq!((name(id), lost), ("loose-access", Lost::LessSpecific));
        let cut = b"203.0.113.7 - - [14/May/2023:12:00:03 +0100] GET";
        let explained = formats.explain_line(cut);
        assert_eq!(explained.taken_by, None);
        let (_, lost) = explained.runner_up.unwrap();
        let Lost::Stopped(stop) = lost else { panic!("it does not take it") };
        assert_eq!(stop.at, 45);
        assert!(stop.wanted.contains('"'), "{}", stop.wanted);
    }
}
