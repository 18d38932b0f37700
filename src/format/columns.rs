//! W3C extended logs: a line of names says what the columns are.

use super::{Columns, Field, TimeNotation, Token, pattern};

impl Columns {
    /// Columns from a definition file: names of columns → fields, and the usual sets.
    pub(super) fn new(
        separator: char,
        fields: impl IntoIterator<Item = (String, String)>,
        usual: &[String],
    ) -> Result<Self, String> {
        let fields = fields.into_iter().map(|(column, name)| match pattern::field(&name) {
            Some(field) => Ok((column, field)),
            None => Err(format!("'{name}' is no field")),
        });
        let mut columns = Self { separator, fields: fields.collect::<Result<_, _>>()?, usual: Vec::new() };
        for names in usual {
            let tokens = columns.tokens(names).ok_or_else(|| format!("'{names}' has no status"))?;
            columns.usual.push(tokens);
        }
        Ok(columns)
    }

    /// The tokens of a line whose columns have these names; `None` where none of them is a status: a `#Fields:` line
    /// of another program, then.
    pub(super) fn tokens(&self, names: &str) -> Option<Vec<Token>> {
        let mut out = Vec::new();
        let mut names = names.split_ascii_whitespace().peekable();
        let mut seen = Vec::new();
        while let Some(name) = names.next() {
            if !out.is_empty() {
                out.push(Token::Literal(self.separator.to_string().into_bytes()));
            }
            let field = if name == "date" && names.next_if_eq(&"time").is_some() {
                Field::Time(TimeNotation::IsoUtc)
            } else {
                self.meaning(name)
            };
            // a meaning is given once, to the first column that has it
            let again = !matches!(field, Field::Word | Field::Number)
                && seen.contains(&std::mem::discriminant(&field));
            seen.push(std::mem::discriminant(&field));
            out.push(Token::Value { field: if again { Field::Word } else { field }, list: false });
        }
        seen.contains(&std::mem::discriminant(&Field::Status)).then_some(out)
    }

    /// The separator as a byte, and how many of them a line of these tokens has.
    pub(crate) fn separators(&self, tokens: &[Token]) -> (u8, usize) {
        let between = tokens.iter().filter(|t| matches!(t, Token::Literal(_))).count();
        // date and time are two columns and one value
        let field_is_time = |t: &&Token| matches!(t, Token::Value { field: Field::Time(_), .. });
        let inside = tokens.iter().filter(field_is_time).count();
        (u8::try_from(self.separator).unwrap_or(b' '), between.saturating_add(inside))
    }

    fn meaning(&self, name: &str) -> Field {
        let known = self.fields.iter().find(|(column, _)| column.eq_ignore_ascii_case(name));
        known.map_or(Field::Word, |(_, field)| *field)
    }
}
