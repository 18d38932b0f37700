//! Findings and close-ups → incidents: scope, impact, suspects, timeline. Formats nothing: wording is `report`'s.

pub mod facts;
