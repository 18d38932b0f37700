//! Message → what it means, request → whether a machine sent it. Rules are data, all sought in one pass.

mod capture;
mod change;
mod exception;
mod known;
mod probes;
mod rules;
mod shapes;
mod sieve;
mod template;
pub mod version;

pub use change::{Change, Deed, Subject};
pub use exception::{Exception, exception};
pub use known::Known;
pub use probes::{AgentCache, Probes};
pub use rules::{Group, Rule, RuleId, RuleKind, Rules};
pub use template::template;
