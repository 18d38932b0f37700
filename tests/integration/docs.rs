//! The commands in README.md are commands that logtopsy understands.

use std::fs;

use crate::support::{logtopsy, root};

/// The arguments of each `logtopsy` and `cargo run` in the shell blocks of a document.
fn commands(markdown: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut shell = false;
    let mut inside = false;
    let mut pending = String::new();
    for line in markdown.lines() {
        if let Some(language) = line.trim().strip_prefix("```") {
            shell = !inside && matches!(language.trim(), "console" | "sh" | "bash" | "shell");
            inside = !inside;
            continue;
        }
        if !shell {
            continue;
        }
        let line = line.trim();
        // In a console block only what follows a prompt is typed; the rest is the answer.
        let typed = line.strip_prefix("$ ").unwrap_or(line);
        pending.push_str(typed.strip_suffix('\\').unwrap_or(typed));
        if typed.ends_with('\\') {
            pending.push(' ');
            continue;
        }
        for part in simple_commands(&std::mem::take(&mut pending)) {
            let arguments = match part.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                ["logtopsy" | "./target/release/logtopsy" | "target/release/logtopsy", ..] => {
                    part[1..].to_vec()
                }
                ["cargo", "run", ..] => {
                    let after = part.iter().position(|word| word == "--").map_or(part.len(), |at| at + 1);
                    part[after..].to_vec()
                }
                _ => continue,
            };
            found.push(arguments);
        }
    }
    found
}

/// The commands of a line, parted by pipes, `;`, `&&` and redirections; quotes are taken off, comments dropped.
fn simple_commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut redirected = false;
    for c in line.chars().chain([' ']) {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, c) if c.is_whitespace() || matches!(c, '|' | ';' | '&' | '<' | '>') => {
                if let Some(done) = word.take() {
                    if std::mem::take(&mut redirected) {
                        // where to or from: no argument
                    } else if c == '>' && done.bytes().all(|b| b.is_ascii_digit()) {
                        // which descriptor
                    } else if let Some(command) = commands.last_mut() {
                        command.push(done);
                    }
                }
                match c {
                    '|' | ';' | '&' => commands.push(Vec::new()),
                    '<' | '>' => redirected = true,
                    _ => {}
                }
            }
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    commands.retain(|command| !command.is_empty());
    commands
}

#[test]
fn the_commands_of_the_readme_are_understood() {
    let Ok(readme) = fs::read_to_string(root().join("README.md")) else {
        println!("skipped: there is no README.md yet");
        return;
    };
    let mut commands = commands(&readme);
    assert!(!commands.is_empty(), "the README shows how to run it");
    commands.extend(self::commands(&fs::read_to_string(root().join("docs/templates.md")).unwrap()));
    for arguments in commands {
        // With `--help` behind them the arguments are checked and nothing is read.
        let output = logtopsy().args(&arguments).arg("--help").output().unwrap();
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "logtopsy {}: {why}", arguments.join(" "));
    }
}

#[test]
fn paths_of_the_project_in_the_readme_exist() {
    let Ok(readme) = fs::read_to_string(root().join("README.md")) else { return };
    for argument in commands(&readme).into_iter().flatten().filter(|a| a.starts_with("sample-logs/")) {
        assert!(root().join(&argument).exists(), "{argument}");
    }
}

#[test]
fn commands_are_found_in_documents() {
    let found = commands(
        "text logtopsy --no\n```console\n$ cargo run --release -- sample-logs/web-01 # all of it\nCRITICAL ...\n\
         $ ssh web-01 cat /var/log/x.log | logtopsy --since '-3 h' - > out.txt 2>/dev/null\n```\n```rust\nlogtopsy --no\n```\n\
         ```sh\nlogtopsy --format json \\\n  /var/log && logtopsy schema\n```\n",
    );
    let expected: [&[&str]; 4] =
        [&["sample-logs/web-01"], &["--since", "-3 h", "-"], &["--format", "json", "/var/log"], &["schema"]];
    assert_eq!(found, expected);
}
