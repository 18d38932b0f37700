//! The shared vocabulary: what a log line says, in types that every stage understands.
//!
//! Never: IO, serde, thresholds.

mod event;
mod histogram;
mod source;
mod text;
mod time;

pub use event::{Event, Kind, Level, Message, Request, Status};
pub use histogram::Histogram;
pub use source::{Dimension, Location, SourceId};
pub use text::{Escape, Untrusted};
pub use time::{MICROS, Offset, Stamp, Steps, Timestamp};
