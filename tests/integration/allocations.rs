//! The survey allocates nothing for a line once it has seen its like: that is what keeps its speed and its memory.

use logtopsy::format::Catalog;
use logtopsy::signature::{Probes, Rules};
use logtopsy::sniff::Formats;
use logtopsy::survey::{Limits, Surveyor};

/// JSON with objects within, or an escape in a value: the walk over it keeps where it is, and the value.
fn is_nested(line: &str) -> bool {
    line.starts_with('{') && (line.matches('{').count() > 1 || line.contains('\\'))
}

#[test]
fn no_line_costs_an_allocation() {
    let catalog = Catalog::built_in().unwrap();
    let (probes, rules) = (Probes::built_in().unwrap(), Rules::built_in().unwrap());
    let formats = Formats::new(&catalog);
    let mut costly = Vec::new();
    for (name, sample) in catalog.samples().iter().filter(|(_, sample)| !sample.reject) {
        let text = format!("{}\n", sample.line).repeat(64);
        let order = formats.sniff(text.as_bytes()).order;
        let mut surveyor = Surveyor::new(&formats, &order, &probes, &rules, Limits::for_sources(1));
        let length = text.len() as u64;
        surveyor.lines(0, text.as_bytes());
        surveyor.lines(length, text.as_bytes());
        let seen = allocation_counter::measure(|| surveyor.lines(2 * length, text.as_bytes()));
        let most = if is_nested(&sample.line) { 2 * 64 } else { 0 };
        if seen.count_total > most {
            costly.push(format!("{name}: {} allocations in 64 lines: {}", seen.count_total, sample.line));
        }
    }
    assert!(costly.is_empty(), "{}", costly.join("\n"));
}
