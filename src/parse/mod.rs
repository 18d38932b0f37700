//! Definition → [`LineParser`]: one line in, one [`Event`] out.
//!
//! nom and memchr live here. No IO, and no allocation on the path that every line takes: values borrow from the
//! line, time stamps are compared with the last one's minute before anything is parsed.

mod address;
mod cursor;
mod ends;
mod explain;
mod find;
mod first;
mod heads;
mod json;
mod level;
mod line_ends;
mod logfmt;
mod loose;
mod machine;
mod marks;
mod number;
mod plan;
mod quick;
mod request;
mod route;
mod shape;
mod tail;
mod taken;
mod time;
mod trail;
mod unescape;
mod zone;

pub use explain::Stop;
pub use find::same;
pub use heads::Opening;
pub use line_ends::{Line, Lines};
pub use machine::Machine;
pub use marks::{Marks, Numbers, Quotes, is_joint};
pub use route::{last_of_list, normalise};
pub use unescape::{unescape, unescape_into};

use first::Firsts;

use crate::format::{Class, Definition, Field, Layout, Token};
use crate::model::{Escape, Event, Kind, Message, Request, Stamp};

/// Why a line is no record of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reject {
    /// It does not look like the format.
    Mismatch,
    /// JSON nested deeper than 128 levels.
    TooDeep,
    /// A directive of the log itself (`#Fields: …`), no record.
    Comment,
}

/// What a parser remembers from line to line, only to be faster: the last minute's prefix, heads of messages, the last
/// line's keys and the shapes of lines.
#[derive(Debug, Default)]
pub struct Scratch {
    time: time::Cache,
    heads: heads::Heads,
    json: json::Memories,
}

/// Which values a pass asks for; the others are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    /// Everything.
    All,
    /// What the survey counts: time, status, latency, client, method, path, agent, vhost, upstream, and messages
    /// whole.
    Counts,
}

impl Projection {
    fn wants(self, field: Field) -> bool {
        let spare = matches!(
            field,
            Field::User | Field::Bytes | Field::Referrer | Field::Protocol | Field::UpstreamStatus
        );
        self == Self::All || !spare
    }
}

/// A compiled definition.
#[derive(Debug)]
pub struct LineParser {
    class: Class,
    escape: Escape,
    tail: Vec<(Vec<u8>, Field)>,
    /// What the pairs behind a message begin with.
    pairs: Option<memchr::memmem::Finder<'static>>,
    /// The message begins with one of these, if there are any.
    begins: Vec<Vec<u8>>,
    /// Some lines have no text beside their values: the line is the message then.
    bare: bool,
    /// What its lines begin with, or more.
    first: Firsts,
    engine: Engine,
}

#[derive(Debug)]
enum Engine {
    Plans(heads::Plans),
    Json(json::Keys),
    Loose,
    /// Columns; lines that begin with `#` and a directive are comments.
    Columns(Vec<ColumnPlan>),
    Logfmt(logfmt::Keys),
}

impl Engine {
    /// What lines begin with.
    fn first(&self) -> Firsts {
        let any_of = |plans: &mut dyn Iterator<Item = &plan::Plan>| {
            plans.map(|plan| plan.first).reduce(Firsts::or).unwrap_or(Firsts::ALL)
        };
        match self {
            Self::Plans(plans) => any_of(&mut plans.iter()),
            Self::Json(_) => Firsts::with(|byte| matches!(byte, b'{' | b' ' | b'\t' | b'\r')),
            Self::Columns(plans) => {
                any_of(&mut plans.iter().map(|p| &p.plan)).or(Firsts::with(|byte| byte == b'#'))
            }
            Self::Loose | Self::Logfmt(_) => Firsts::ALL,
        }
    }
}

/// A plan and how many separators its lines have: what would fit in the wrong columns is told apart by that.
#[derive(Debug)]
struct ColumnPlan {
    separator: u8,
    count: usize,
    plan: plan::Plan,
}

/// Directives of W3C extended logs.
const DIRECTIVES: &[&[u8]] =
    &[b"#Fields:", b"#Version:", b"#Software:", b"#Date:", b"#Start-Date:", b"#End-Date:", b"#Remark:"];

/// The words at the beginning of a message's text that are the program's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// Where they end.
    pub end: usize,
    /// Where the bytes end that show it; `None` where nothing follows them.
    pub shown: Option<usize>,
}

/// The values of a line: a request's if the format is one of requests, else a message's.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    /// When, as written.
    pub stamp: Option<Stamp>,
    /// The request's values.
    pub request: Request<'a>,
    /// The message's values.
    pub message: Message<'a>,
}

impl LineParser {
    /// Compiles a definition, for all of its values.
    pub fn new(definition: &Definition) -> Self {
        Self::projected(definition, Projection::All)
    }

    /// Compiles a definition for the values that a pass asks for.
    pub fn projected(definition: &Definition, projection: Projection) -> Self {
        let engine = match &definition.layout {
            Layout::Patterns(patterns) => {
                let plans = patterns.iter().map(|p| plan::compile(p, projection));
                Engine::Plans(heads::Plans::new(plans.collect()))
            }
            Layout::Logfmt { keys, required } => Engine::Logfmt(logfmt::Keys::new(keys, required)),
            Layout::Json { keys, required } => Engine::Json(json::Keys::new(keys, required, projection)),
            Layout::Loose => Engine::Loose,
            Layout::Columns(columns) => {
                let plan = |tokens: &Vec<crate::format::Token>| {
                    let (separator, count) = columns.separators(tokens);
                    ColumnPlan { separator, count, plan: plan::compile(tokens, projection) }
                };
                Engine::Columns(columns.usual.iter().map(plan).collect())
            }
        };
        let tail: Vec<(Vec<u8>, Field)> =
            definition.tail.iter().map(|(key, field)| (format!(", {key}: ").into_bytes(), *field)).collect();
        let first = tail.iter().find(|(_, field)| *field == Field::Client);
        let pairs = first.map(|(key, _)| memchr::memmem::Finder::new(key).into_owned());
        let tail = if projection == Projection::All { tail } else { Vec::new() };
        let bare = match &definition.layout {
            Layout::Patterns(patterns) => patterns.iter().any(|p| !has_message(p)),
            _ => false,
        };
        Self {
            class: definition.class,
            escape: definition.escape,
            tail,
            pairs,
            begins: definition.begins.iter().map(|b| b.as_bytes().to_vec()).collect(),
            bare,
            first: engine.first(),
            engine,
        }
    }

    /// Whether its lines are requests.
    #[inline]
    pub fn is_access(&self) -> bool {
        self.class == Class::Access
    }

    /// Whether it looks for quotes, so that it pays to know them before.
    pub fn wants_quotes(&self) -> bool {
        match &self.engine {
            Engine::Plans(plans) => self.is_access() && plans.iter().any(plan::Plan::is_quoted),
            Engine::Json(_) | Engine::Loose => true,
            Engine::Columns(_) | Engine::Logfmt(_) => false,
        }
    }

    /// Whether rules about its messages are found faster where numbers are known: where clients' words follow a message, it
    /// is known by its beginning.
    pub fn wants_numbers(&self) -> bool {
        matches!(self.engine, Engine::Plans(_)) && !self.is_access() && !self.quotes_clients()
    }

    /// Reads one line, without its line end, into `fields`, whose old values are gone.
    ///
    /// # Errors
    /// Why the line is no record of this format; `fields` is of no use then.
    #[allow(
        clippy::inline_always,
        reason = "the path that every line takes: as a call it costs a tenth more"
    )]
    #[inline(always)]
    pub fn fill<'a>(
        &self,
        line: &'a [u8],
        quotes: Quotes<'_>,
        fields: &mut Fields<'a>,
        scratch: &mut Scratch,
    ) -> Result<(), Reject> {
        if !self.first.may_begin(line) {
            return Err(Reject::Mismatch);
        }
        self.read(line, quotes, fields, scratch)
    }

    /// [`Self::fill`] for a line that begins as it should.
    #[allow(
        clippy::inline_always,
        reason = "the path that every line takes: as a call it costs a tenth more"
    )]
    #[inline(always)]
    fn read<'a>(
        &self,
        line: &'a [u8],
        quotes: Quotes<'_>,
        fields: &mut Fields<'a>,
        scratch: &mut Scratch,
    ) -> Result<(), Reject> {
        fields.stamp = None;
        if self.is_access() {
            fields.request = Request::default();
        } else {
            fields.message = Message::default();
        }
        match &self.engine {
            Engine::Plans(plans) if !self.is_access() => {
                if !plans.read(line, fields, &mut scratch.time, &mut scratch.heads) {
                    return Err(Reject::Mismatch);
                }
            }
            Engine::Plans(plans) => match &**plans {
                [plan] if plan.run(line, quotes, fields, &mut scratch.time) => {}
                [_] => return Err(Reject::Mismatch),
                plans if quick::any_of(plans, line, quotes, fields, &mut scratch.time) => {}
                _ => return Err(Reject::Mismatch),
            },
            Engine::Json(keys) => keys.run(line, quotes, fields, scratch)?,
            Engine::Loose => loose::read(line, quotes, fields, &mut scratch.time).ok_or(Reject::Mismatch)?,
            Engine::Columns(_) if line.first() == Some(&b'#') => {
                let directive = DIRECTIVES.iter().any(|d| line.starts_with(d));
                return Err(if directive { Reject::Comment } else { Reject::Mismatch });
            }
            Engine::Columns(plans) => {
                let separator = plans.first().map_or(b' ', |p| p.separator);
                let count = memchr::memchr_iter(separator, line).count();
                let fits = plans.iter().filter(|p| p.count == count).any(|p| {
                    *fields = Fields::default();
                    p.plan.run(line, Quotes::UNKNOWN, fields, &mut scratch.time)
                });
                if !fits {
                    return Err(Reject::Mismatch);
                }
            }
            Engine::Logfmt(keys) => keys.run(line, fields, &mut scratch.time).ok_or(Reject::Mismatch)?,
        }
        // what follows is about messages
        if self.is_access() {
            return Ok(());
        }
        if !self.begins.is_empty() && !self.begins.iter().any(|b| fields.message.text.starts_with(b)) {
            return Err(Reject::Mismatch);
        }
        if self.bare && fields.message.text.is_empty() {
            fields.message.text = line;
        }
        if !self.tail.is_empty() {
            tail::read(&self.tail, &mut fields.message);
        }
        let text = fields.message.text;
        fields.message.about_request = text.len() - self.words(text).end;
        Ok(())
    }

    /// What is counted of a message's line, where lines like it came before: what [`Self::fill`] reads, but for the end of
    /// the program's own words, which [`Self::words`] tells.
    #[allow(
        clippy::inline_always,
        reason = "the path that nearly every message takes: as a call it costs a tenth more"
    )]
    #[inline(always)]
    pub fn opening<'a>(&self, line: &'a [u8], scratch: &mut Scratch) -> Option<Opening<'a>> {
        match &self.engine {
            Engine::Plans(plans) if !self.is_access() && self.begins.is_empty() && self.tail.is_empty() => {
                let opening = plans.opening(line, &mut scratch.time, &mut scratch.heads)?;
                Some(opening).filter(|opening| !self.bare || !opening.text.is_empty())
            }
            _ => None,
        }
    }

    /// Whether what clients said may follow the program's own words.
    #[inline]
    pub fn quotes_clients(&self) -> bool {
        self.pairs.is_some()
    }

    /// Where the program's own words end in a message's text.
    pub fn words(&self, text: &[u8]) -> Words {
        match self.pairs.as_ref().and_then(|pairs| Some((pairs.find(text)?, pairs.needle().len()))) {
            Some((end, length)) => Words { end, shown: Some(end + length) },
            None => Words { end: text.len(), shown: None },
        }
    }

    /// Reads one line, without its line end.
    ///
    /// # Errors
    /// Why the line is no record of this format.
    pub fn parse<'a>(&self, line: &'a [u8], scratch: &mut Scratch) -> Result<Event<'a>, Reject> {
        let mut fields = Fields::default();
        self.fill(line, Quotes::UNKNOWN, &mut fields, scratch)?;
        let kind =
            if self.is_access() { Kind::Request(fields.request) } else { Kind::Message(fields.message) };
        Ok(Event { stamp: fields.stamp, escape: self.escape, kind })
    }
}

/// Method, path and protocol of a request line; nothing of one that is no HTTP.
pub fn request_parts(line: &[u8]) -> Request<'_> {
    let mut fields = Fields::default();
    request::request_line(line, &mut fields);
    fields.request
}

fn has_message(tokens: &[Token]) -> bool {
    tokens.iter().any(|token| match token {
        Token::Value { field, .. } => *field == Field::Message,
        Token::Optional(inner) => has_message(inner),
        Token::Literal(_) | Token::Space => false,
    })
}

#[cfg(test)]
mod roundtrip;
#[cfg(test)]
mod tests;
