//! Lines → close-ups.

use super::closeup::{FirstMessage, Group, Line, Span, Tone, client_group};
use super::distinct::hash;
use super::{Closeup, Pace, Visit, Watch, Window};
use crate::format::Class;
use crate::model::{Dimension, Escape, Level, Message, Request, SourceId, Status, Timestamp};
use crate::parse::{Fields, Reject, Scratch, last_of_list, normalise, unescape_into};
use crate::signature::{AgentCache, Known, Probes, Rules, template};
use crate::sniff::{FormatId, Formats, Order, trim};
use crate::survey::{Clock, Merge, Orphans, RareKind};

/// Bytes of a line that are quoted.
const QUOTED: usize = 512;

/// Looks closely at a run of blocks of one source.
pub struct Inspector<'a> {
    formats: &'a Formats,
    order: &'a Order,
    probes: &'a Probes,
    rules: &'a Rules,
    known: Known,
    windows: &'a [Window],
    clock: &'a Clock,
    source: SourceId,
    /// A window asks what kind a request is of.
    by_kind: bool,
    /// Requests of this source are not counted again elsewhere.
    edge: bool,
    name: &'a [u8],
    scratch: Scratch,
    orphans: Orphans,
    agents: AgentCache,
    closeups: Vec<Closeup>,
    number: u64,
    /// Offsets whose line number is asked for, ascending, and the answers.
    wanted: &'a [u64],
    numbers: Vec<(u64, u64)>,
    plain: Vec<u8>,
    value: Vec<u8>,
    /// What was unescaped of the current line.
    within: Vec<u8>,
}

/// The tools that every inspector shares.
#[derive(Clone, Copy)]
pub struct Kit<'a> {
    /// All formats.
    pub formats: &'a Formats,
    /// What tells probes from users.
    pub probes: &'a Probes,
    /// Known messages.
    pub rules: &'a Rules,
}

/// What an inspector must know of its source.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Which it is.
    pub source: SourceId,
    /// Its name for the `source` dimension.
    pub name: &'a [u8],
    /// The order in which its lines are tried.
    pub order: &'a Order,
    /// What its times without a zone mean.
    pub clock: &'a Clock,
    /// Whether its requests are users' requests at the edge.
    pub edge: bool,
    /// Offsets whose line number is asked for, ascending.
    pub wanted: &'a [u64],
}

impl<'a> Inspector<'a> {
    /// An inspector for one visit.
    pub fn new(kit: Kit<'a>, subject: Subject<'a>, windows: &'a [Window], visit: &Visit) -> Self {
        Self {
            formats: kit.formats,
            order: subject.order,
            probes: kit.probes,
            rules: kit.rules,
            known: Known::default(),
            windows,
            clock: subject.clock,
            source: subject.source,
            by_kind: windows.iter().any(|w| w.watch == Watch::Paces || w.slow_kinds.is_some()),
            edge: subject.edge,
            name: subject.name,
            scratch: Scratch::default(),
            orphans: Orphans::default(),
            agents: AgentCache::default(),
            closeups: vec![Closeup::default(); windows.len()],
            number: visit.lines_before,
            wanted: subject.wanted,
            numbers: Vec::new(),
            plain: Vec::new(),
            value: Vec::new(),
            within: Vec::new(),
        }
    }

    /// Looks at whole lines, the first of which begins at `offset` of the source.
    pub fn lines(&mut self, offset: u64, bytes: &[u8]) {
        let mut at = offset;
        // lent to the values of one line after the other
        let mut within = std::mem::take(&mut self.within);
        for raw in bytes.split_inclusive(|&b| b == b'\n') {
            self.line(at, raw, &mut within);
            at = at.saturating_add(raw.len() as u64);
        }
        self.within = within;
    }

    /// Passes over a line that was too long to read.
    pub fn over_long(&mut self, offset: u64) {
        self.count(offset);
    }

    /// The close-ups, one per window, and the line numbers of the offsets asked for.
    pub fn finish(self) -> (Vec<Closeup>, Vec<(u64, u64)>) {
        (self.closeups, self.numbers)
    }

    fn count(&mut self, offset: u64) {
        self.number = self.number.saturating_add(1);
        if self.wanted.binary_search(&offset).is_ok() {
            self.numbers.push((offset, self.number));
        }
    }

    fn line(&mut self, offset: u64, raw: &[u8], within: &mut Vec<u8>) {
        self.count(offset);
        let line = trim(raw);
        let mut fields = Fields::default();
        // what the survey counts is all that is asked here, too
        let read = match self.formats.unwrapped(self.order, line, within, &mut self.scratch) {
            Some(within) => self.formats.count_unwrapped(self.order, &within, &mut fields, &mut self.scratch),
            None if self.orphans.has(line) => return,
            None => {
                let read = self.formats.count(self.order, line, &mut fields, &mut self.scratch);
                if read == Err(Reject::Mismatch) {
                    self.orphans.note(line);
                }
                read
            }
        };
        let Ok((format, is_request)) = read else { return };
        let Some(time) = fields.stamp.map(|s| self.clock.resolve(s)) else { return };
        if !is_request {
            if self.windows.iter().any(|w| w.wants_message(time) || w.compares_message(time)) {
                self.message(time, offset, line, &fields.message, format);
            }
        } else if self.edge && self.windows.iter().any(|w| w.wants_request(time)) {
            let escape = self.formats.definition(format).map_or(Escape::None, |d| d.escape);
            self.request(time, offset, line, escape, &fields.request);
        }
    }

    fn quote(&self, time: Timestamp, offset: u64, line: &[u8]) -> Line {
        Line {
            time,
            source: self.source,
            offset,
            number: self.number,
            text: line.get(..QUOTED).unwrap_or(line).into(),
        }
    }

    fn request(&mut self, time: Timestamp, offset: u64, line: &[u8], escape: Escape, request: &Request<'_>) {
        if request.is_no_request() {
            return;
        }
        let probe = self.probes.is_probe(request, &mut self.agents);
        self.value.clear();
        if let Some(path) = request.path {
            self.plain.clear();
            unescape_into(path, escape, &mut self.plain);
            normalise(&self.plain, &mut self.value);
        }
        let values = [
            (Dimension::Vhost, request.vhost),
            (Dimension::Upstream, request.upstream.map(last_of_list)),
            (Dimension::Path, request.path.map(|_| self.value.as_slice())),
            (Dimension::Method, request.method),
            (Dimension::Source, Some(self.name)),
        ];
        let kind = if self.by_kind { kind_of(request, &self.value) } else { 0 };
        let mut closeups = std::mem::take(&mut self.closeups);
        for (window, closeup) in self.windows.iter().zip(closeups.iter_mut()) {
            if !window.wants_request(time) {
                continue;
            }
            if window.watch == Watch::Paces {
                if let Some(latency_us) = request.pace_us().filter(|_| !probe) {
                    let pace = Pace { time, latency_us, kind, source: self.source, offset };
                    let paced = &window.paced;
                    closeup.paces.see(
                        pace,
                        window.is_about(&values),
                        paced.sides(time),
                        paced.near(time, latency_us),
                    );
                }
                continue;
            }
            if window.watch == Watch::Requests {
                if !probe && window.is_about(&values) {
                    closeup.requests.see(time.second(), request.status, request.client.map(hash));
                }
                continue;
            }
            let seen = Seen::of(window, request, kind, &values, window.inside(time));
            if probe {
                if seen.inside {
                    closeup.probes.see(seen.affected, seen.within);
                }
                continue;
            }
            if window.borders(time) && seen.within {
                closeup.around.see(self.quote(time, offset, line), window.start);
            }
            if seen.inside {
                self.inside(closeup, window, (time, offset, line), (request, seen));
            } else if window.outside(time) {
                *closeup.statuses_outside.entry(request.status.map_or(0, Status::code)).or_default() += 1;
                if let Some(latency) = request.pace_us() {
                    closeup.latency_outside.record(latency);
                }
            } else {
                continue;
            }
            client(closeup, time, request, seen);
            dimensions(closeup, &values, seen);
        }
        self.closeups = closeups;
    }

    fn inside(
        &self,
        closeup: &mut Closeup,
        window: &Window,
        (time, offset, line): (Timestamp, u64, &[u8]),
        (request, seen): (&Request<'_>, Seen),
    ) {
        let code = request.status.map_or(0, Status::code);
        *closeup.statuses.entry(code).or_default() += 1;
        closeup.minutes.entry(time.second().div_euclid(60)).or_default().see(seen.affected, seen.within);
        let place = (self.source, offset);
        let named = window.named.map_or(seen.affected && seen.within, |named| named.contains(&place));
        if seen.affected && seen.within {
            *closeup.within.entry(code).or_default() += 1;
        }
        if named {
            let latency = request.latency_us.and_then(|l| i64::try_from(l).ok());
            let arrival = latency.map(|l| Timestamp::from_micros(time.micros().saturating_sub(l)));
            closeup.affected.see(&|| self.quote(time, offset, line), time, place, arrival);
        }
        if let Some(latency) = request.latency_us {
            closeup.latency.record(latency);
        }
    }

    /// A severe message: what a window is about that watches a log without requests.
    fn severe(&mut self, time: Timestamp, offset: u64, line: &[u8]) {
        let mut closeups = std::mem::take(&mut self.closeups);
        for (window, closeup) in self.windows.iter().zip(closeups.iter_mut()) {
            let here = window
                .place
                .as_ref()
                .is_none_or(|(dimension, place)| *dimension == Dimension::Source && **place == *self.name);
            if window.watch == Watch::Messages && window.inside(time) && here {
                let place = (self.source, offset);
                closeup.affected.see(&|| self.quote(time, offset, line), time, place, None);
            }
        }
        self.closeups = closeups;
    }

    fn message(
        &mut self,
        time: Timestamp,
        offset: u64,
        line: &[u8],
        message: &Message<'_>,
        format: FormatId,
    ) {
        let severe = message.level.is_some_and(|l| l <= Level::Error);
        if severe {
            self.severe(time, offset, line);
        }
        let program = message.component.or_else(|| self.formats.program(format));
        let rule = self.known.find(self.rules, message.words(), program);
        if rule.is_none() && self.matters(message, format) {
            self.template(time, offset, line, message);
        }
        let kind = match rule {
            Some(rule) => RareKind::Rule(rule),
            None if severe => RareKind::Severe,
            None => return,
        };
        let mut closeups = std::mem::take(&mut self.closeups);
        for (window, closeup) in self.windows.iter().zip(closeups.iter_mut()) {
            if window.wants_message(time) {
                let seen = closeup.messages.entry(kind).or_default();
                seen.count = seen.count.saturating_add(1);
                self.keep_first(&mut seen.first, time, offset, line, message);
            }
        }
        self.closeups = closeups;
    }

    fn keep_first(
        &self,
        first: &mut Option<FirstMessage>,
        time: Timestamp,
        offset: u64,
        line: &[u8],
        message: &Message<'_>,
    ) {
        let of = |first: &FirstMessage| (first.line.time, first.line.source, first.line.offset);
        if first.as_ref().is_none_or(|first| (time, self.source, offset) < of(first)) {
            *first = Some(FirstMessage {
                line: self.quote(time, offset, line),
                level: message.level,
                text: message.text.get(..QUOTED).unwrap_or(message.text).into(),
            });
        }
    }
}

impl Inspector<'_> {
    /// The system's logs tell of all that goes on; what of it matters is for the rules to know, unless it says so itself.
    fn matters(&self, message: &Message<'_>, format: FormatId) -> bool {
        let class = self.formats.definition(format).map(|d| d.class);
        message.level.map_or(class != Some(Class::System), |level| level <= Level::Warning)
    }

    /// Counts a message that no rule knows.
    fn template(&mut self, time: Timestamp, offset: u64, line: &[u8], message: &Message<'_>) {
        self.value.clear();
        template(message.text.get(..QUOTED).unwrap_or(message.text), &mut self.value);
        let key = hash(&self.value);
        let mut closeups = std::mem::take(&mut self.closeups);
        for (window, closeup) in self.windows.iter().zip(closeups.iter_mut()) {
            let inside = window.wants_message(time);
            if !inside && !window.compares_message(time) {
                continue;
            }
            let Some(tone) = closeup.templates.entry(key) else { continue };
            if tone.template.is_empty() {
                tone.template = self.value.as_slice().into();
            }
            if !inside {
                tone.outside = tone.outside.saturating_add(1);
                continue;
            }
            tone.inside = tone.inside.saturating_add(1);
            self.keep_first(&mut tone.first, time, offset, line, message);
        }
        self.closeups = closeups;
    }
}

/// A hash of what was asked of whom, the ids left out, and how. `path` is normalised.
fn kind_of(request: &Request<'_>, path: &[u8]) -> u64 {
    let parts = [request.vhost.unwrap_or_default(), request.method.unwrap_or_default(), path];
    parts.iter().fold(0, |kind: u64, part| kind.rotate_left(21) ^ hash(part))
}

fn is_failed(request: &Request<'_>) -> bool {
    request.status.is_some_and(Status::is_server_error)
}

/// What a request is to a window.
#[derive(Clone, Copy)]
struct Seen {
    /// In it, else in the comparison window.
    inside: bool,
    /// Slow or not for what it asked; `None` where that is not known, or the answer was a 5xx.
    slow: Option<bool>,
    /// As the window has it.
    affected: bool,
    /// Has the value that the window is about.
    within: bool,
    /// The hash of its client.
    client: Option<u64>,
}

impl Seen {
    fn of(
        window: &Window,
        request: &Request<'_>,
        kind: u64,
        values: &[(Dimension, Option<&[u8]>)],
        inside: bool,
    ) -> Self {
        let failed = is_failed(request);
        let above = window.slow_us.zip(request.pace_us()).map(|(slow, latency)| latency > slow);
        let affected = match window.watch {
            Watch::Failures { gave_up } => failed || (gave_up && request.status == Some(Status::GAVE_UP)),
            Watch::Slow => above == Some(true),
            Watch::Missing | Watch::Messages | Watch::Paces | Watch::Requests => false,
        };
        let slow = match &window.slow_kinds {
            Some(kinds) => request.pace_us().map(|latency| kinds.is_slow(kind, latency)),
            None => above,
        };
        let client = request.client.map(hash);
        Self { inside, slow, affected, within: window.is_about(values), client }
    }

    fn count(self, tone: &mut Tone) {
        let (part, paced) = if self.inside {
            (&mut tone.inside, &mut tone.paced_inside)
        } else {
            (&mut tone.outside, &mut tone.paced_outside)
        };
        part.see(self.affected, self.within);
        if let Some(slow) = self.slow {
            paced.see(slow, self.within);
        }
        if self.inside
            && let Some(group) = self.client.and_then(|hash| tone.by_client.get_mut(client_group(hash)))
        {
            group.absorb(Group { requests: 1, affected: u32::from(self.affected) });
        }
    }
}

fn dimensions(closeup: &mut Closeup, values: &[(Dimension, Option<&[u8]>)], seen: Seen) {
    seen.count(&mut closeup.total);
    for &(dimension, value) in values {
        let Some(value) = value else { continue };
        let Some(tone) = closeup.dimensions.entry(dimension).or_default().entry(hash(value)) else {
            continue;
        };
        if tone.value.is_empty() {
            tone.value = value.into();
        }
        seen.count(tone);
    }
}

fn client(closeup: &mut Closeup, time: Timestamp, request: &Request<'_>, seen: Seen) {
    let Some(hash) = seen.client else {
        if seen.inside {
            closeup.anonymous.see(seen.affected, seen.within);
        }
        return;
    };
    let code = request.status.map_or(0, Status::code);
    if seen.inside && seen.affected && seen.within {
        closeup.hits.see(hash, time.second(), code);
    }
    let Some(client) = closeup.clients.entry(hash) else { return };
    let good = u64::from((100..400).contains(&code));
    // 499 is a client that gave up waiting
    let refused = u64::from((400..499).contains(&code));
    if seen.inside {
        client.inside.see(seen.affected, seen.within);
        if seen.affected && seen.within {
            client.hit.absorb(Span { first: time.second(), last: time.second() });
        }
        client.good_inside += good;
        client.refused_inside += refused;
    } else {
        client.outside += 1;
        client.good_outside += good;
        client.refused_outside += refused;
    }
}
