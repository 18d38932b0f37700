//! The server's own configuration: which log formats it declares.
//!
//! Reads nginx's `log_format` and Apache's `LogFormat` directives with their includes. Never executes anything, never
//! reads a log. Which file uses which format is left to sniffing: a declared format is one more candidate.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;

use super::{Definition, described};

/// Configuration files read at most: a server with more has a loop of includes, or is no server.
const MAX_FILES: usize = 1_000;
/// Bytes of a configuration file.
const MAX_BYTES: u64 = 1 << 20;
/// Formats taken at most: each costs a try per line of an unknown log.
const MAX_FORMATS: usize = 64;
/// The rank of a declared format: above what is guessed.
const RANK: i64 = 1_000;

/// Where servers keep their configuration, below a root.
const PLACES: &[&str] = &[
    "etc/nginx/nginx.conf",
    "etc/apache2/apache2.conf",
    "etc/httpd/conf/httpd.conf",
    "usr/local/etc/nginx/nginx.conf",
];

/// What a configuration declares.
#[derive(Debug, Default)]
pub struct Declared {
    /// The formats, by name.
    pub formats: Vec<Definition>,
    /// What could not be understood, a line each.
    pub problems: Vec<String>,
}

/// The configuration that belongs to these paths: below the root of a tree `…/var/log`, and this machine's for
/// `/var/log` itself.
pub fn beside(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = BTreeSet::new();
    for path in paths {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        // the given path may be a root, its var/log, or something below that
        let mut roots: Vec<&Path> = path
            .ancestors()
            .filter(|a| a.ends_with("var/log"))
            .filter_map(|a| a.parent()?.parent())
            .collect();
        roots.push(&path);
        found.extend(
            roots.iter().flat_map(|root| PLACES.iter().map(|p| root.join(p))).filter(|p| p.is_file()),
        );
    }
    found.into_iter().collect()
}

/// Reads configuration files, or the usual ones below a directory.
pub fn read(paths: &[PathBuf]) -> Declared {
    let mut reader = Reader::default();
    for path in paths {
        if path.is_dir() {
            for name in ["nginx.conf", "apache2.conf", "httpd.conf", "conf/httpd.conf"] {
                let file = path.join(name);
                if file.is_file() {
                    reader.file(&file, &file);
                }
            }
        } else {
            reader.file(path, path);
        }
    }
    reader.declared
}

#[derive(Default)]
struct Reader {
    declared: Declared,
    seen: BTreeSet<PathBuf>,
}

impl Reader {
    /// Reads one file; relative includes are meant from the directory of `main`.
    fn file(&mut self, path: &Path, main: &Path) {
        if self.seen.len() >= MAX_FILES || !self.seen.insert(path.to_path_buf()) {
            return;
        }
        let small = fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() <= MAX_BYTES);
        let Some(bytes) = small.then(|| fs::read(path).ok()).flatten() else {
            self.declared.problems.push(format!("{}: cannot be read as a configuration", path.display()));
            return;
        };
        let text = String::from_utf8_lossy(&bytes);
        let is_nginx = main.file_name().is_some_and(|n| n == "nginx.conf") || text.contains("log_format");
        if is_nginx { self.nginx(&text, main) } else { self.apache(&text, main) }
    }

    fn nginx(&mut self, text: &str, main: &Path) {
        for directive in statements(text) {
            match directive.split_first() {
                Some((name, [format, parts @ ..])) if name == "log_format" => {
                    let json = parts.first().is_some_and(|p| p == "escape=json");
                    let parts: Vec<&str> =
                        parts.iter().filter(|p| !p.starts_with("escape=")).map(String::as_str).collect();
                    let escape = if json { "escape=json " } else { "" };
                    self.declare(format, &format!("log_format {format} {escape}'{}'", parts.concat()));
                }
                Some((name, [pattern, ..])) if name == "include" => self.include(pattern, main),
                _ => {}
            }
        }
    }

    fn apache(&mut self, text: &str, main: &Path) {
        let joined = text.replace("\\\n", " ");
        for line in joined.lines().map(str::trim) {
            let Some((word, rest)) = line.split_once(char::is_whitespace) else { continue };
            let rest = rest.trim();
            if word.eq_ignore_ascii_case("LogFormat") {
                let Some(end) = rest.rfind('"').filter(|_| rest.starts_with('"')) else { continue };
                let name = rest.get(end.saturating_add(1)..).unwrap_or_default().trim();
                if !name.is_empty() {
                    self.declare(name, rest.get(1..end).unwrap_or_default());
                }
            } else if word.eq_ignore_ascii_case("Include") || word.eq_ignore_ascii_case("IncludeOptional") {
                self.include(rest.trim_matches('"'), main);
            }
        }
    }

    fn declare(&mut self, name: &str, text: &str) {
        if self.declared.formats.len() >= MAX_FORMATS {
            return;
        }
        match described(text) {
            Ok(mut definition) => {
                name.clone_into(&mut definition.name);
                definition.title = format!("'{name}' of the server's configuration");
                definition.rank = RANK;
                if self.declared.formats.iter().all(|d| d.layout != definition.layout) {
                    self.declared.formats.push(definition);
                }
            }
            // LogFormat "%{Referer}i -> %U" referer and the like: no format of requests
            Err(why) => self.declared.problems.push(format!("log format '{name}': {why}")),
        }
    }

    /// Follows an include. An absolute one in a tree copied from another machine is meant below that tree.
    fn include(&mut self, pattern: &str, main: &Path) {
        let pattern = Path::new(pattern);
        let base = main.parent().unwrap_or(Path::new("/"));
        let whole = if pattern.is_absolute() {
            let root = base
                .ancestors()
                .find(|a| a.ends_with("etc"))
                .and_then(Path::parent)
                .unwrap_or(Path::new("/"));
            root.join(pattern.strip_prefix("/").unwrap_or(pattern))
        } else {
            base.join(pattern)
        };
        let mut matches = vec![PathBuf::new()];
        for part in whole.components() {
            matches = matches.iter().flat_map(|dir| step(dir, part)).take(MAX_FILES).collect();
        }
        matches.sort();
        for path in matches {
            self.file(&path, main);
        }
    }
}

/// The paths that one more component of a pattern leads to.
fn step(dir: &Path, part: Component<'_>) -> Vec<PathBuf> {
    let name = part.as_os_str().to_string_lossy();
    if !name.contains(['*', '?', '[']) {
        let next = dir.join(part);
        return if next.exists() { vec![next] } else { Vec::new() };
    }
    let Ok(glob) = GlobBuilder::new(&name).literal_separator(true).build() else { return Vec::new() };
    let matcher = glob.compile_matcher();
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|e| e.path()).filter(|p| p.file_name().is_some_and(|n| matcher.is_match(n))).collect()
}

/// nginx's directives, each a list of words; quotes and comments are undone, blocks are flattened.
fn statements(text: &str) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut chars = text.chars().peekable();
    let end_word = |word: &mut String, words: &mut Vec<String>| {
        if !word.is_empty() {
            words.push(std::mem::take(word));
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '#' if word.is_empty() => {
                for c in chars.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
            }
            '\'' | '"' if word.is_empty() => {
                while let Some(inner) = chars.next() {
                    match inner {
                        '\\' if chars.peek().is_some_and(|&n| n == c || n == '\\') => {
                            word.extend(chars.next());
                        }
                        _ if inner == c => break,
                        _ => word.push(inner),
                    }
                }
                words.push(std::mem::take(&mut word));
            }
            ';' | '{' | '}' => {
                end_word(&mut word, &mut words);
                if !words.is_empty() {
                    out.push(std::mem::take(&mut words));
                }
            }
            // a variable in braces is part of its word
            '$' if chars.peek() == Some(&'{') => {
                word.push(c);
                for inner in chars.by_ref() {
                    word.push(inner);
                    if inner == '}' {
                        break;
                    }
                }
            }
            _ if c.is_whitespace() => end_word(&mut word, &mut words),
            _ => word.push(c),
        }
    }
    out
}
