//! What servers write behind the agent: values with a blank before each.

use super::Fields;
use super::find::byte as find_byte;
use super::plan::{Step, Until, latency, present};
use crate::format::Field;

/// Values with a blank before each, up to the end of the line. A line in which one of them is a list of several is left
/// to the steps that they stand for, and a test compares the two.
#[derive(Debug)]
pub(super) struct Trail {
    values: Box<[Value]>,
    last: Field,
}

#[derive(Debug)]
struct Value {
    field: Field,
    list: bool,
}

impl Trail {
    /// What is read by these steps, `then` before them, if it is such values.
    pub(super) fn of(then: &[u8], steps: &[Step]) -> Option<Self> {
        let (Step::Value { field: last, until: Until::LineEnd, .. }, steps) = steps.split_last()? else {
            return None;
        };
        let value = |step: &Step| match step {
            Step::Value { field, until: Until::Byte(b' '), list, then, .. }
                if is_kept(*field) && then.is_empty() =>
            {
                Some(Value { field: *field, list: *list })
            }
            _ => None,
        };
        let values = steps.iter().map(value).collect::<Option<_>>()?;
        (then == b" " && is_kept(*last)).then_some(Self { values, last: *last })
    }

    /// Reads all of `text`; `None`, and rubbish in `fields`, where it is not just like that.
    #[allow(clippy::inline_always, reason = "the path that every request takes")]
    #[inline(always)]
    pub(super) fn read<'a>(&self, text: &'a [u8], fields: &mut Fields<'a>) -> Option<()> {
        let mut rest = text.strip_prefix(b" ")?;
        for Value { field, list } in &self.values {
            let (value, after) = rest.split_at_checked(find_byte(rest, b' ')?)?;
            rest = after.get(1..)?;
            let joins = |byte: Option<&u8>| matches!(byte, Some(b',' | b':'));
            if *list && (joins(value.last()) || joins(rest.first())) {
                return None;
            }
            keep(*field, value, fields);
        }
        keep(self.last, rest, fields);
        Some(())
    }
}

/// Whether values of a field are kept here.
fn is_kept(field: Field) -> bool {
    matches!(field, Field::Latency { .. } | Field::Vhost | Field::Upstream | Field::Ignored)
}

#[allow(clippy::inline_always, reason = "the path that every request takes")]
#[inline(always)]
fn keep<'a>(field: Field, value: &'a [u8], fields: &mut Fields<'a>) {
    match field {
        Field::Latency { unit_us, nanos } => latency(value, (unit_us, nanos), fields),
        Field::Vhost => fields.request.vhost = present(value),
        Field::Upstream => fields.request.upstream = present(value),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::format::{Catalog, from_option};
    use crate::parse::quick::tests::{quickly, slowly};
    use crate::parse::{Engine, LineParser, Marks, Projection, time};

    const FORMAT: &str = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \
        \"$http_referer\" \"$http_user_agent\" $request_time $upstream_response_time $upstream_addr $host";

    proptest! {
        #[test]
        fn values_behind_the_agent_are_what_the_steps_read(
            values in prop::collection::vec("[0-9.]{0,5}|-|0\\.[0-9]{3}|[0-9.:]{9,20}|[a,: ]{0,4}|[0-9], [0-9] : [0-9]", 2..6),
        ) {
            let definition = from_option(FORMAT, &Catalog::built_in().unwrap()).unwrap();
            let parser = LineParser::projected(&definition, Projection::Counts);
            let Engine::Plans(plans) = &parser.engine else { panic!("no plans") };
            prop_assert!(plans.iter().any(|plan| plan.trail.is_some()));
            let line = format!(
                "203.0.113.7 - - [14/May/2023:12:00:03 +0100] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl\" {}",
                values.join(" ")
            );
            let mut marks = Marks::default();
            marks.sweep(line.as_bytes());
            let read = quickly(plans, line.as_bytes(), marks.quotes_at(0), &mut time::Cache::default());
            prop_assert_eq!(read, slowly(plans, line.as_bytes()));
        }
    }
}
