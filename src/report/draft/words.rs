//! Text on its way through a template: no template decides about escaping.
//!
//! Words of logs reach a template as [`Words`], an object, not as a string. What a template prints is escaped where it is
//! printed, by its origin: of `Words` each part by its own rule, and whatever a template's filters make of them is a string of
//! unknown origin, escaped as such. No filter, tag or setting of a template marks anything as safe.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, ValueKind};
use minijinja::{Output, Value};

use crate::model::Untrusted;
use crate::report::escape;
use crate::report::wording::Sentence;

/// What a draft is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Medium {
    Markdown,
    Html,
}

/// A sentence as a template sees it.
#[derive(Debug)]
pub(super) struct Words(Sentence);

impl Object for Words {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    /// For filters: visible text without markup. Printing goes another way.
    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.render(|own| escape::for_terminal(&Untrusted::from(own)), escape::for_terminal))
    }
}

/// A sentence for a template, its words of logs no longer than `most` bytes each.
pub(super) fn words(sentence: Sentence, most: usize) -> Value {
    Value::from_object(Words(sentence.clipped(most)))
}

/// Words of a log for a template, no longer than `most` bytes.
pub(super) fn quoted(text: &Untrusted, most: usize) -> Value {
    words(Sentence::default().log(text), most)
}

/// The filter `cut`: words of logs no longer than so many bytes each; of other text, so many characters.
pub(super) fn cut(value: &Value, most: usize) -> Value {
    if let Some(Words(sentence)) = value.downcast_object_ref::<Words>() {
        return words(sentence.clone(), most);
    }
    match value.as_str() {
        Some(text) if text.chars().count() > most => {
            Value::from(text.chars().take(most).chain(['…']).collect::<String>())
        }
        _ => value.clone(),
    }
}

/// Prints a value.
pub(super) fn print(medium: Medium, value: &Value, out: &mut Output<'_>) -> fmt::Result {
    if let Some(words) = value.downcast_object_ref::<Words>() {
        return out.write_str(&match medium {
            Medium::Markdown => words.0.render(escape::for_markdown_text, escape::for_markdown),
            Medium::Html => words.0.render(own_html, |log| format!("<code>{}</code>", escape::for_html(log))),
        });
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(()),
        ValueKind::Number | ValueKind::Bool => write!(out, "{value}"),
        _ => out.write_str(&match medium {
            Medium::Markdown => escape::for_markdown_text(&value.to_string()),
            Medium::Html => own_html(&value.to_string()),
        }),
    }
}

fn own_html(text: &str) -> String {
    escape::for_html(&Untrusted::from(text))
}
