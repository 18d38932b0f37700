//! Lines of coloured pieces for a terminal, cut to its width.
//!
//! Text enters escaped; the only control codes that leave are the colours here.

use std::io;

use anstyle::{AnsiColor, Color, Style};

/// What a piece means; the colour follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    /// What the eye should find.
    Strong,
    /// Labels, places, what may be skipped.
    Faint,
    /// An outage.
    Critical,
    /// Less than an outage, or something amiss with the report itself.
    Caution,
    /// All is well.
    Good,
    /// What might explain it.
    Suspicion,
}

impl Tone {
    fn style(self) -> Style {
        let colour = |c: AnsiColor| Style::new().fg_color(Some(Color::Ansi(c)));
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Critical => colour(AnsiColor::Red).bold(),
            Self::Caution => colour(AnsiColor::Yellow),
            Self::Good => colour(AnsiColor::Green).bold(),
            Self::Suspicion => colour(AnsiColor::Magenta),
        }
    }
}

/// One line in the making.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    pieces: Vec<(Tone, String)>,
}

impl Line {
    /// A line that begins with plain text.
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::default().add(Tone::Plain, text)
    }

    /// Adds a piece.
    #[must_use]
    pub(super) fn add(mut self, tone: Tone, text: impl Into<String>) -> Self {
        let text = text.into();
        match self.pieces.last_mut() {
            Some((last, before)) if *last == tone => before.push_str(&text),
            _ => self.pieces.push((tone, text)),
        }
        self
    }

    /// Columns that it takes.
    pub(super) fn width(&self) -> usize {
        self.pieces.iter().map(|(_, text)| columns(text)).sum()
    }
}

/// The whole output.
#[derive(Debug, Default)]
pub(super) struct Page {
    lines: Vec<Line>,
    columns: usize,
    /// Whether what is longer is cut. A pipe or a file has no edge: nothing may be lost to whoever searches it.
    edge: bool,
}

/// Columns where the terminal's are not known.
const DEFAULT_COLUMNS: u16 = 100;

impl Page {
    /// An empty page for a style: as wide as its terminal, without an edge where there is none.
    pub(super) fn of(style: &super::Style) -> Self {
        let columns = usize::from(style.width.unwrap_or(DEFAULT_COLUMNS).clamp(60, 200));
        Self::new(columns, style.width.is_some())
    }

    /// An empty page of that many columns, at which lines are cut if there is an `edge`.
    pub(super) fn new(columns: usize, edge: bool) -> Self {
        Self { lines: Vec::new(), columns, edge }
    }

    /// Columns of the page.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Adds a line.
    pub(super) fn line(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// Adds an empty line, never two in a row.
    pub(super) fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.pieces.is_empty()) {
            self.lines.push(Line::default());
        }
    }

    /// Adds a line with something at its right edge (a place in a file), for which the left part is cut if need be.
    pub(super) fn line_with_right(&mut self, left: Line, right: &str, tone: Tone) {
        if right.is_empty() {
            return self.line(left);
        }
        if !self.edge && left.width() + columns(right) + 2 > self.columns {
            return self.line(left.add(Tone::Plain, "  ").add(tone, right));
        }
        // A long path may take half of the line; what is cut of it is its beginning.
        let right = cut_start(right, self.columns / 2);
        let room = self.columns.saturating_sub(columns(&right) + 2);
        let mut line = cut_line(left, room);
        let fill = room.saturating_sub(line.width()) + 2;
        line.pieces.push((Tone::Plain, " ".repeat(fill)));
        self.lines.push(line.add(tone, right));
    }

    /// Adds text broken at spaces, each line after `indent` columns; `first` stands before the first.
    pub(super) fn wrapped(&mut self, first: Line, indent: usize, tone: Tone, text: &str) {
        let mut line = first;
        let mut fresh = true;
        for word in glued(text) {
            let word = word.as_str();
            let needed = columns(word) + usize::from(!fresh);
            if !fresh && line.width() + needed > self.columns {
                self.lines.push(std::mem::replace(&mut line, Line::plain(" ".repeat(indent))));
                fresh = true;
            }
            line = line.add(tone, if fresh { word.to_owned() } else { format!(" {word}") });
            fresh = false;
        }
        self.lines.push(line);
    }

    /// Writes it, without trailing spaces.
    pub(super) fn write(self, colour: bool, out: &mut dyn io::Write) -> io::Result<()> {
        for line in self.lines {
            let mut line = if self.edge { cut_line(line, self.columns) } else { line };
            if let Some((_, last)) = line.pieces.last_mut() {
                last.truncate(last.trim_end().len());
            }
            for (tone, text) in line.pieces {
                let style = tone.style();
                if colour && tone != Tone::Plain && !text.trim().is_empty() {
                    write!(out, "{style}{text}{style:#}")?;
                } else {
                    out.write_all(text.as_bytes())?;
                }
            }
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// The words of a text, with a number, its groups of digits and its unit as one word.
fn glued(text: &str) -> Vec<String> {
    const UNITS: [&str; 11] = ["%", "s", "ms", "min", "h", "d", "B", "kB", "MB", "GB", "×"];
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let bare = word.trim_end_matches([',', ';', '.', ':', ')']);
        let unit = UNITS.contains(&bare);
        let group = bare.len() == 3 && bare.bytes().all(|b| b.is_ascii_digit());
        match words.last_mut() {
            Some(last) if (unit || group) && last.ends_with(|c: char| c.is_ascii_digit()) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// Columns of a text on a terminal: East Asian wide characters and emoji take two.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

fn width(c: char) -> usize {
    match u32::from(c) {
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// A text cut to `room` columns, with `…` where something is missing.
pub(super) fn cut(text: &str, room: usize) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let mut left = room.saturating_sub(1);
    let mut out: String = text
        .chars()
        .take_while(|&c| {
            let fits = width(c) <= left;
            left = left.saturating_sub(width(c));
            fits
        })
        .collect();
    if room > 0 {
        out.push('…');
    }
    out
}

/// The end of a text, with `…` where its beginning is missing.
pub(super) fn cut_start(text: &str, room: usize) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let mut left = room.saturating_sub(1);
    let mut kept: Vec<char> = text
        .chars()
        .rev()
        .take_while(|&c| {
            let fits = width(c) <= left;
            left = left.saturating_sub(width(c));
            fits
        })
        .collect();
    kept.push('…');
    kept.into_iter().rev().collect()
}

fn cut_line(line: Line, room: usize) -> Line {
    if line.width() <= room {
        return line;
    }
    let mut left = room;
    let mut out = Line::default();
    for (tone, text) in line.pieces {
        let needed = columns(&text);
        if needed > left {
            out.pieces.push((tone, cut(&text, left)));
            break;
        }
        left -= needed;
        out.pieces.push((tone, text));
        if left == 0 {
            break;
        }
    }
    out
}
