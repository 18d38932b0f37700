//! Definition → [`LineParser`]: one line in, one [`Event`] out.
//!
//! nom and memchr live here. No IO, and no allocation on the path that every line takes: values borrow from the
//! line, time stamps are compared with the last one's minute before anything is parsed.

mod find;
mod json;
mod number;
mod plan;
mod tail;
mod time;
mod unescape;

pub use unescape::{unescape, unescape_into};

use crate::format::{Class, Definition, Layout};
use crate::model::{Escape, Event, Kind, Message, Request, Stamp};

/// Why a line is no record of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reject {
    /// It does not look like the format.
    Mismatch,
    /// JSON nested deeper than 128 levels.
    TooDeep,
}

/// What a parser remembers from line to line, only to be faster: the last minute's prefix and the last line's keys.
#[derive(Debug, Default)]
pub struct Scratch {
    time: time::Cache,
    keys: json::KeyCache,
}

/// A compiled definition.
#[derive(Debug)]
pub struct LineParser {
    class: Class,
    escape: Escape,
    tail: Vec<(Vec<u8>, crate::format::Field)>,
    engine: Engine,
}

#[derive(Debug)]
enum Engine {
    Plans(Vec<plan::Plan>),
    Json(json::Keys),
}

/// The values of a line while it is taken apart.
#[derive(Debug, Default)]
struct Captures<'a> {
    stamp: Option<Stamp>,
    request: Request<'a>,
    message: Message<'a>,
}

impl LineParser {
    /// Compiles a definition.
    pub fn new(definition: &Definition) -> Self {
        let engine = match &definition.layout {
            Layout::Patterns(patterns) => Engine::Plans(patterns.iter().map(|p| plan::compile(p)).collect()),
            Layout::Json { keys, required } => Engine::Json(json::Keys::new(keys, required)),
        };
        let tail =
            definition.tail.iter().map(|(key, field)| (format!(", {key}: ").into_bytes(), *field)).collect();
        Self { class: definition.class, escape: definition.escape, tail, engine }
    }

    /// Reads one line, without its line end.
    ///
    /// # Errors
    /// Why the line is no record of this format.
    pub fn parse<'a>(&self, line: &'a [u8], scratch: &mut Scratch) -> Result<Event<'a>, Reject> {
        let mut captures = Captures::default();
        match &self.engine {
            Engine::Plans(plans) => {
                let mut taken = false;
                for plan in plans {
                    if plan.run(line, &mut captures, &mut scratch.time) {
                        taken = true;
                        break;
                    }
                    captures = Captures::default();
                }
                if !taken {
                    return Err(Reject::Mismatch);
                }
            }
            Engine::Json(keys) => keys.run(line, &mut captures, scratch)?,
        }
        let kind = if self.class == Class::Access {
            Kind::Request(captures.request)
        } else {
            tail::read(&self.tail, &mut captures.message);
            Kind::Message(captures.message)
        };
        Ok(Event { stamp: captures.stamp, escape: self.escape, kind })
    }
}

#[cfg(test)]
mod tests;
