//! Message → what it means, request → whether a machine sent it. Rules are data, matched in one Aho-Corasick pass.

mod probes;
mod rules;

pub use probes::{AgentCache, Probes};
pub use rules::{Rule, RuleId, RuleKind, Rules};
