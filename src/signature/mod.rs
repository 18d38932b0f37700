//! Message → what it means, request → whether a machine sent it. Rules are data, matched in one Aho-Corasick pass.

mod capture;
mod change;
mod exception;
mod probes;
mod rules;
mod template;
pub mod version;

pub use change::{Change, Deed, Subject};
pub use exception::{Exception, exception};
pub use probes::{AgentCache, Probes};
pub use rules::{Group, Rule, RuleId, RuleKind, Rules};
pub use template::template;
