//! The house's order: a module imports only from those above its own. Reads the sources and proves it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::root;

/// The order: each may import only from those before it, and from those that stand with it.
///
/// `detect` stands before `survey`, though it runs after it: `survey::series` makes the `detect::Series` that detection
/// takes, and detection itself knows of nothing but numbers.
const ORDER: [&[&str]; 14] = [
    &["error", "model"],
    &["discover"],
    &["input"],
    &["format"],
    &["parse"],
    &["sniff"],
    &["signature"],
    &["detect"],
    &["survey"],
    &["inspect"],
    &["explain"],
    &["report"],
    &["pipeline"],
    &["cli"],
];
/// Crates that only one module may name.
const CONFINED: [(&str, &str); 2] = [("rayon", "pipeline"), ("nom", "parse")];

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|level| level.contains(&module))
}

/// What is wrong with one file: `path` are its modules, outermost first.
fn violations(path: &[String], source: &str) -> BTreeSet<String> {
    let tokens = tokens(source);
    let mut wrong = BTreeSet::new();
    let own = path[0].as_str();
    let own_rank = rank(own).unwrap_or_else(|| panic!("{own} has no place in the order"));
    for module in imported(&tokens, path) {
        match rank(&module) {
            // An item of the crate's root, or a name that is no module.
            None => {}
            Some(rank) if rank <= own_rank => {}
            Some(_) => {
                wrong.insert(format!("{} imports {module}, which comes after it", path.join("::")));
            }
        }
    }
    for (crate_name, only) in CONFINED {
        let named = tokens.windows(3).any(|w| {
            w[0] == crate_name && w[1] == ":" && w[2] == ":"
                || w[0] == "use" && w[1] == crate_name && w[2] == ";"
        });
        if named && own != only {
            wrong.insert(format!("{} names {crate_name}, which only {only} may", path.join("::")));
        }
    }
    wrong
}

/// The words and signs of a source, without comments, texts, and what is compiled for tests only.
fn tokens(source: &str) -> Vec<String> {
    without_tests(&words(source))
}

fn words(source: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if let Some(length) = raw_text(rest) {
            length
        } else if first == '"' || rest.starts_with("b\"") {
            text(rest)
        } else if first == '\'' {
            character(rest)
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    tokens
}

/// Length of `r"…"` or `r#"…"#` at the beginning.
fn raw_text(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let begin = rest.len() - after.len() + hashes + 1;
    Some(rest[begin..].find(&end).map_or(rest.len(), |at| begin + at + end.len()))
}

/// Length of `"…"` or `b"…"` at the beginning.
fn text(rest: &str) -> usize {
    let begin = rest.find('"').map_or(0, |at| at + 1);
    let mut escaped = false;
    for (at, c) in rest[begin..].char_indices() {
        match c {
            '"' if !escaped => return begin + at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    rest.len()
}

/// Length of a character literal at the beginning, or of the tick of a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(rest.len(), |at| at + 4),
        Some(_) => chars.next().filter(|&(_, c)| c == '\'').map_or(1, |(at, _)| at + 1),
        None => 1,
    }
}

/// Drops items under `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].iter().take(MARK.len()).eq(MARK.iter()) {
            at += MARK.len();
            let mut depth = 0;
            while at < tokens.len() {
                match tokens[at].as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 && matches!(tokens[at - 1].as_str(), "}" | ";") {
                    break;
                }
            }
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// The top-level modules that a file refers to: `crate::x`, `crate::{x::y, z}`, and `super::` chains that leave the
/// file's own top-level module.
fn imported(tokens: &[String], path: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let colons =
        |at: usize| tokens.get(at).is_some_and(|t| t == ":") && tokens.get(at + 1).is_some_and(|t| t == ":");
    for at in 0..tokens.len() {
        let root = match tokens[at].as_str() {
            "crate" if colons(at + 1) => Some(at + 3),
            "super"
                if at < 2
                    || tokens[at - 1] != ":"
                    || tokens.get(at.wrapping_sub(3)).is_none_or(|t| t != "super") =>
            {
                let mut next = at;
                let mut ups = 0;
                while tokens.get(next).is_some_and(|t| t == "super") && colons(next + 1) {
                    ups += 1;
                    next += 3;
                }
                (ups >= path.len() && ups > 0).then_some(next)
            }
            _ => None,
        };
        if let Some(root) = root {
            first_names(tokens, root, &mut found);
        }
    }
    found
}

/// The name at `at`, or the first names in the group there.
fn first_names(tokens: &[String], at: usize, found: &mut BTreeSet<String>) {
    if tokens.get(at).is_none_or(|t| t != "{") {
        found.extend(tokens.get(at).cloned());
        return;
    }
    let (mut depth, mut next, mut begins) = (1, at + 1, true);
    while let Some(token) = tokens.get(next).filter(|_| depth > 0) {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => begins = true,
            name if begins && depth == 1 => {
                found.insert(name.to_owned());
                begins = false;
            }
            _ => {}
        }
        next += 1;
    }
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") && name != "tests.rs" && name != "fixtures.rs" {
            found.push(path);
        }
    }
}

/// `src/report/json.rs` → `report`, `json`.
fn module_path(file: &Path) -> Vec<String> {
    let relative = file.strip_prefix(root().join("src")).unwrap().with_extension("");
    let mut path: Vec<String> = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if path.last().is_some_and(|last| last == "mod") {
        path.pop();
    }
    path
}

#[test]
fn imports_point_one_way() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    files.sort();
    let mut checked = 0;
    let mut wrong = BTreeSet::new();
    for file in &files {
        let path = module_path(file);
        // The program stands above the library, which cannot even name it.
        if matches!(path[0].as_str(), "main" | "lib" | "cli") {
            continue;
        }
        wrong.extend(violations(&path, &fs::read_to_string(file).unwrap()));
        checked += 1;
    }
    assert!(checked > 50, "only {checked} files were found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_wrong_import_is_noticed() {
    let parse = |source: &str| violations(&["parse".into(), "json".into()], source);
    for planted in [
        "use crate::survey::Tally;",
        "use crate::{error::Error, survey::Tally};",
        "use crate::{model::{Event, Kind}, report};",
        "use super::super::survey;",
        "fn f() { let _ = crate::pipeline::formats(); }",
        "fn f(x: &'a crate::report::Style) {}",
        "pub(crate) use crate::detect as model;",
        "use rayon::prelude::*;",
        "const Q: char = '\"'; use crate::explain::Case; const R: char = '\"';",
        "const Q: &str = r#\"\"#; use crate::explain::Case;",
    ] {
        assert_eq!(parse(planted).len(), 1, "{planted}");
    }
    for fine in [
        "use crate::{error::Error, format::Definition};",
        "use super::number;",
        "use nom::IResult;",
        "// use crate::survey::Tally;",
        "/* crate::survey */ /// crate::report",
        "const T: &str = \"use crate::survey::Tally;\";",
        "const T: &str = r#\"crate::survey::Tally \" \"#;",
        "#[cfg(test)] mod tests { use crate::survey::Tally; fn f() { { } } }",
        "#[cfg(test)] use crate::survey::Tally;",
        "#[cfg(test)] mod tests;",
    ] {
        assert_eq!(parse(fine), BTreeSet::new(), "{fine}");
    }
    let survey = |source: &str| violations(&["survey".into()], source);
    assert_eq!(survey("use super::pipeline;").len(), 1);
    assert_eq!(survey("use nom::IResult;").len(), 1);
    assert_eq!(survey("use crate::detect::Series;"), BTreeSet::new());
}
