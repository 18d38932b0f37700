//! Accounts of people → roles: a draft is passed on, and a post-mortem blames nobody (`--show-users` keeps them).
//!
//! Which words are accounts is learned from the places where sudo, su, sshd, PAM, logind and apt name them; then these words
//! are masked wherever they stand. A home directory is masked too, but teaches nothing: applications live there as well.
//! Accounts of services are not people.

use super::visit;
use crate::explain::facts::{Fact, Incident, Report};
use crate::model::Untrusted;

/// The role of the first account, the second, and all others.
const ROLES: [&str; 3] = ["an operator", "another operator", "a further operator"];
/// What the rules call somebody.
const SOMEBODY: &str = "somebody ";
/// Accounts that are learned; more are no people.
const MAX_NAMES: usize = 64;
/// Longest account that useradd takes.
const MAX_NAME: usize = 32;
/// What stands before an account.
const BEFORE: [&[u8]; 11] = [
    b"session opened for user ",
    b"session closed for user ",
    b"Accepted publickey for ",
    b"Accepted password for ",
    b"Failed password for ",
    b"nvalid user ",
    b" for root by ",
    b"of user ",
    b"Requested-By: ",
    b" user=",
    b"ruser=",
];
/// What stands behind an account at the beginning of a message of sudo.
const BEHIND: [&[u8]; 3] = [b" : TTY=", b" : PWD=", b" : COMMAND="];
/// What stands behind an account anywhere.
const MARKS: [&[u8]; 1] = [b"(uid="];
/// Accounts of machines and services.
const SERVICES: [&[u8]; 34] = [
    b"root",
    b"www-data",
    b"nobody",
    b"daemon",
    b"nginx",
    b"apache",
    b"apache2",
    b"httpd",
    b"postgres",
    b"mysql",
    b"redis",
    b"mongodb",
    b"bin",
    b"sys",
    b"sync",
    b"mail",
    b"man",
    b"news",
    b"proxy",
    b"backup",
    b"list",
    b"irc",
    b"syslog",
    b"messagebus",
    b"sshd",
    b"_apt",
    b"uuidd",
    b"ntp",
    b"chrony",
    b"postfix",
    b"rabbitmq",
    b"elasticsearch",
    b"unknown",
    b"invalid",
];
/// Accounts that are words as well: they are masked only where an account stands.
const WORDS: [&[u8]; 16] = [
    b"deploy", b"admin", b"app", b"apps", b"user", b"test", b"service", b"web", b"git", b"build", b"ops",
    b"support", b"shop", b"api", b"release", b"monitor",
];

/// Shows roles in place of accounts in all text that a report quotes; of a command, only what was run.
pub fn hide_people(report: &mut Report) {
    let mut names: Vec<Vec<u8>> = Vec::new();
    for incident in &report.incidents {
        let changes =
            incident.suspects.iter().map(|s| &s.change).chain(incident.remedy.iter().map(|r| &r.change));
        let users = changes.flatten().filter_map(|change| change.user.as_ref());
        users.for_each(|user| add(user.raw(), &mut names));
    }
    visit::texts(report, &mut |text, _| learn(text.raw(), &mut names));
    visit::texts(report, &mut |text, _| *text = Untrusted::new(&masked(command(text.raw()), &names)));
    for incident in &mut report.incidents {
        roles(incident);
    }
    for row in &mut report.timeline {
        if let Fact::Signature { meaning, .. } = &mut row.fact {
            role(meaning);
        }
    }
}

fn roles(incident: &mut Incident) {
    let suspects = incident.suspects.iter_mut().map(|s| (&mut s.meaning, &mut s.change));
    let remedies = incident.remedy.iter_mut().map(|r| (&mut r.meaning, &mut r.change));
    for (meaning, change) in suspects.chain(remedies) {
        role(meaning);
        if let Some(change) = change {
            change.user = None;
        }
    }
}

/// `somebody ran …` → `an operator ran …`.
fn role(meaning: &mut String) {
    if let Some(rest) = meaning.strip_prefix(SOMEBODY) {
        *meaning = format!("{} {rest}", ROLES.first().copied().unwrap_or_default());
    }
}

/// What was run, of a line that sudo wrote; other lines as they are.
fn command(line: &[u8]) -> &[u8] {
    let key = b" COMMAND=";
    let sudo = BEHIND.iter().any(|mark| memchr::memmem::find(line, mark).is_some());
    match memchr::memmem::find(line, key) {
        Some(at) if sudo => line.get(at + key.len()..).unwrap_or(line),
        _ => line,
    }
}

fn learn(line: &[u8], names: &mut Vec<Vec<u8>>) {
    for mark in BEFORE {
        for at in memchr::memmem::find_iter(line, mark) {
            add(word(line.get(at + mark.len()..).unwrap_or_default()), names);
        }
    }
    for mark in BEHIND.iter().chain(&MARKS) {
        for at in memchr::memmem::find_iter(line, mark) {
            // `root(uid=0) by (uid=1000)`: a name, or none.
            add(word_back(line.get(..at).unwrap_or_default()), names);
        }
    }
}

fn add(name: &[u8], names: &mut Vec<Vec<u8>>) {
    let person = !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.iter().all(u8::is_ascii_digit)
        && !name.starts_with(b"systemd-")
        && !SERVICES.contains(&name);
    if person && names.len() < MAX_NAMES && !names.iter().any(|known| known == name) {
        names.push(name.to_vec());
    }
}

fn masked(line: &[u8], names: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((&first, after)) = rest.split_first() {
        let begins = !out.last().is_some_and(|&b: &u8| is_name(b));
        let name = if begins { word(rest) } else { b"" };
        let behind = rest.get(name.len()..).unwrap_or_default();
        let known = names.iter().position(|known| known == name).filter(|_| !name.is_empty());
        match known {
            _ if !name.is_empty() && out.ends_with(b"/home/") => out.extend_from_slice("…".as_bytes()),
            Some(at) if is_account(name, &out, behind) => {
                let role = ROLES.get(at).or(ROLES.last()).copied().unwrap_or_default();
                out.extend_from_slice(role.as_bytes());
            }
            _ => {
                let taken = if name.is_empty() { std::slice::from_ref(&first) } else { name };
                out.extend_from_slice(taken);
                rest = if name.is_empty() { after } else { behind };
                continue;
            }
        }
        rest = behind;
    }
    out
}

/// Whether a word that is somebody's account means the account here.
fn is_account(name: &[u8], before: &[u8], behind: &[u8]) -> bool {
    let told = BEFORE.iter().any(|mark| before.ends_with(mark))
        || BEHIND.iter().chain(&MARKS).any(|mark| behind.starts_with(mark))
        || [b"user ".as_slice(), b"by ", b"USER=", b"LOGNAME="].iter().any(|mark| before.ends_with(mark))
        || (behind.first() == Some(&b'@') && !before.ends_with(b"/"));
    let path = before.last() == Some(&b'/') || behind.first() == Some(&b'/');
    told || !(path || WORDS.contains(&name))
}

fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.') || b >= 0x80
}

/// The account that a text begins with; a full stop ends a sentence.
fn word(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|&b| !is_name(b)).unwrap_or(text.len());
    let mut name = text.get(..end).unwrap_or_default();
    while let Some(shorter) = name.strip_suffix(b".") {
        name = shorter;
    }
    name
}

fn word_back(text: &[u8]) -> &[u8] {
    let length = text.iter().rev().position(|&b| !is_name(b)).unwrap_or(text.len());
    text.get(text.len() - length..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::bad_gateway;

    fn shown(lines: &[&str]) -> Vec<String> {
        let mut names = Vec::new();
        for line in lines {
            learn(line.as_bytes(), &mut names);
        }
        lines
            .iter()
            .map(|line| String::from_utf8_lossy(&masked(command(line.as_bytes()), &names)).into_owned())
            .collect()
    }

    #[test]
    fn accounts_become_roles() {
        for (line, expected) in [
            (
                "ann : TTY=pts/0 ; PWD=/home/ann ; USER=root ; COMMAND=/usr/sbin/nginx -s reload",
                "/usr/sbin/nginx -s reload",
            ),
            (
                "pam_unix(sudo:session): session opened for user root(uid=0) by ann(uid=1000)",
                "pam_unix(sudo:session): session opened for user root(uid=0) by an operator(uid=1000)",
            ),
            (
                "Accepted publickey for deploy from 203.0.113.9 port 22",
                "Accepted publickey for an operator from 203.0.113.9 port 22",
            ),
            ("New session 5 of user ann.", "New session 5 of user an operator."),
            ("Requested-By: ann (1000)", "Requested-By: an operator (1000)"),
            ("cd /home/ann/shop && make", "cd /home/…/shop && make"),
            ("/home/shop/run: stopped: shop", "/home/…/run: stopped: shop"),
            (
                "session opened for user www-data(uid=33) by (uid=0)",
                "session opened for user www-data(uid=33) by (uid=0)",
            ),
        ] {
            assert_eq!(shown(&[line]), [expected]);
        }
    }

    #[test]
    fn what_was_learned_in_one_line_is_masked_in_all() {
        let sudo = " : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/true";
        let lines = [
            &format!("ann{sudo}"),
            &format!("bob{sudo}"),
            "rollback by ann, seen by bob: annual",
            "/srv/ann/x",
        ];
        assert_eq!(
            shown(&lines)[2..],
            ["rollback by an operator, seen by another operator: annual", "/srv/ann/x"]
        );
        let word = [&format!("deploy{sudo}"), "deploy finished: /opt/deploy/bin, started by deploy"];
        assert_eq!(shown(&word)[1], "deploy finished: /opt/deploy/bin, started by an operator");
    }

    #[test]
    fn a_report_names_no_person() {
        let mut report = bad_gateway();
        let sudo = "ann : TTY=pts/0 ; PWD=/home/ann ; USER=root ; COMMAND=/usr/bin/apt-get remove apache2";
        report.timeline[6].fact =
            Fact::Signature { meaning: "somebody ran a command".into(), text: sudo.into(), count: 1 };
        report.incidents[0].evidence[0].text = "asked by ann".into();
        hide_people(&mut report);
        let Fact::Signature { meaning, text, .. } = &report.timeline[6].fact else {
            panic!("{:?}", report.timeline[6])
        };
        assert_eq!(
            (meaning.as_str(), text.raw()),
            ("an operator ran a command", b"/usr/bin/apt-get remove apache2".as_slice())
        );
        assert_eq!(report.incidents[0].evidence[0].text.raw(), b"asked by an operator");
    }
}
