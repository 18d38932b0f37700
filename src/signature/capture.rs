//! How to read fields from a message: `upgrade {package} {from} {to}`.
//!
//! Text stands for itself; `{name}` takes what stands up to the next text, at least a byte, without blanks around it; at
//! the end it takes the rest of the line. `{_}` takes what nobody asks for, and may be empty.

use serde::Deserialize;

/// The fields that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Package,
    Packages,
    Unit,
    Command,
    From,
    To,
    User,
    Ignored,
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Capture {
    /// What stands before each field, and the field.
    fields: Vec<(String, Field)>,
    /// What stands after the last; nothing: the rest of the line is the last field's.
    tail: String,
}

impl TryFrom<String> for Capture {
    type Error = String;

    fn try_from(pattern: String) -> Result<Self, String> {
        let mut fields = Vec::new();
        let mut rest = pattern.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(|| format!("{pattern}: an open brace"))?;
            let field = match name {
                "package" => Field::Package,
                "packages" => Field::Packages,
                "unit" => Field::Unit,
                "command" => Field::Command,
                "from" => Field::From,
                "to" => Field::To,
                "user" => Field::User,
                "_" => Field::Ignored,
                other => return Err(format!("{pattern}: there is no field {other}")),
            };
            fields.push((before.to_owned(), field));
            rest = after;
        }
        Ok(Self { fields, tail: rest.to_owned() })
    }
}

impl Capture {
    /// The fields of a message, unless the pattern does not fit it.
    pub(super) fn read<'m>(&self, message: &'m [u8]) -> Option<Vec<(Field, &'m [u8])>> {
        let (first, _) = self.fields.first()?;
        let mut rest = message.trim_ascii().strip_prefix(first.as_bytes())?;
        let mut out = Vec::with_capacity(self.fields.len());
        let ends = self.fields.iter().skip(1).map(|(before, _)| before).chain([&self.tail]);
        for ((_, field), end) in self.fields.iter().zip(ends) {
            let length = if end.is_empty() {
                memchr::memchr(b'\n', rest).unwrap_or(rest.len())
            } else {
                memchr::memmem::find(rest, end.as_bytes())?
            };
            let value = rest.get(..length)?.trim_ascii();
            if *field != Field::Ignored {
                if value.is_empty() {
                    return None;
                }
                out.push((*field, value));
            }
            rest = rest.get(length + end.len()..)?;
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &str, message: &str) -> Option<Vec<(Field, String)>> {
        let capture = Capture::try_from(pattern.to_owned()).unwrap();
        let fields = capture.read(message.as_bytes())?;
        Some(fields.into_iter().map(|(f, v)| (f, String::from_utf8(v.to_vec()).unwrap())).collect())
    }

    #[test]
    fn fields_end_where_the_next_text_begins() {
        let found = read("upgrade {package} {from} {to}", "upgrade shop:all 1.8.2 2.0.0").unwrap();
        let expected = [(Field::Package, "shop:all"), (Field::From, "1.8.2"), (Field::To, "2.0.0")];
        assert_eq!(found, expected.map(|(f, v)| (f, v.to_owned())));
        assert_eq!(
            read("{_}: gave up {unit};", "x: gave up  shop ; y").unwrap(),
            [(Field::Unit, "shop".to_owned())]
        );
        assert_eq!(read("install {package} {_} {to}", "remove shop 1 2"), None);
        assert_eq!(read("install {package} {_} {to}", "install shop"), None);
    }

    #[test]
    fn a_wrong_pattern_is_refused() {
        for pattern in ["{packag} x", "a {unit"] {
            assert!(Capture::try_from(pattern.to_owned()).is_err(), "{pattern}");
        }
    }
}
