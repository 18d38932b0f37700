//! One line, put through detection: `logtopsy formats test`.

use super::{Options, Tools, clock, now};
use crate::error::Result;
use crate::model::{Offset, Untrusted};
use crate::report::record::Record;
use crate::sniff::{Lost, trim};
use crate::survey::{Clock, WallZone};

/// What became of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineTest {
    /// Name and title of the format that takes it, if one does.
    pub taken_by: Option<(String, String)>,
    /// Field → value, as in `logtopsy records`.
    pub fields: Vec<(String, Untrusted)>,
    /// The format that came next, and why it lost.
    pub runner_up: Option<(String, String)>,
}

/// Which format takes a line, what each field becomes, and why the runner-up lost.
///
/// # Errors
/// `Usage` for a wrong format definition.
pub fn test_line(options: &Options, line: &[u8]) -> Result<LineTest> {
    let (tools, _) = Tools::new(options)?;
    let line = trim(line);
    let explanation = tools.formats.explain_line(line);
    let zone = options.assume_zone.as_ref().map_or(Clock::new(WallZone::Fixed(Offset(0))), clock);
    let zone = Clock { reference: Some(now()), ..zone };
    let named = |id| tools.formats.definition(id).map(|d| (d.name.clone(), d.title.clone()));
    let mut fields = Vec::new();
    if let Some((id, event)) = &explanation.taken_by {
        let name = named(*id).map(|(name, _)| name).unwrap_or_default();
        let record = Record::new(event, &name, &Untrusted::default(), 1, &|stamp| {
            (zone.resolve(stamp), zone.offset_at(stamp.at.second()))
        });
        fields = record.fields();
    }
    let runner_up = explanation.runner_up.and_then(|(id, lost)| {
        let why = match lost {
            Lost::LessSpecific => "it fits as well, but is less specific".to_owned(),
            Lost::Stopped(stop) => {
                format!("byte {}: there should be {}", stop.at.saturating_add(1), stop.wanted)
            }
        };
        named(id).map(|(name, _)| (name, why))
    });
    Ok(LineTest { taken_by: explanation.taken_by.and_then(|(id, _)| named(id)), fields, runner_up })
}
