use super::*;
use fixtures::{bad_gateway, empty, hostile, one_of_two, quiet, style};

fn rendered(report: &Report, format: Format, style: &Style) -> String {
    let mut out = Vec::new();
    render(report, format, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn look() {
    for r in [bad_gateway(), one_of_two(), quiet(), empty(), hostile()] {
        println!("{}\n=================", rendered(&r, Format::Text, &style()));
    }
    println!("{}", rendered(&bad_gateway(), Format::Text, &Style { width: Some(80), verbose: 2, ..style() }));
    println!("{}", rendered(&bad_gateway(), Format::Markdown, &style()));
    println!("{}", rendered(&bad_gateway(), Format::Json, &style()));
}
