//! Windows → [`Closeup`]: what the survey only counted is read again, exactly, and only where it matters.
//!
//! Knows which blocks of a source overlap a window; never decides what is an incident.

mod closeup;
mod distinct;
mod hits;
mod inspector;
mod paces;
mod plan;
mod requests;

pub use closeup::{
    Affected, Around, CLIENT_GROUPS, Client, Closeup, Dimensions, Group, Line, Part, Span, TemplateTone,
    Tone, client_group,
};
pub use distinct::Distinct;
pub use hits::{Hit, Hits};
pub use inspector::{Inspector, Kit, Subject};
pub use paces::{Pace, Paces, Sides, SlowKinds};
pub use plan::{Paced, Visit, Watch, Window, plan, read_range};
pub use requests::Requests;

#[cfg(test)]
mod tests;
