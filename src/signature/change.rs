//! What a message says was changed: which package, service or command, from which version to which, and by whom.

use std::cmp::Ordering;

use serde::Deserialize;

use super::capture::{Capture, Field};
use super::version;
use crate::model::Untrusted;

/// Packages of a list that are kept: a distribution upgrade has thousands.
const MAX_PACKAGES: usize = 32;
/// Bytes of a value that are kept.
const MAX_VALUE: usize = 256;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Deed {
    Installed,
    Upgraded,
    /// To an older version, by Debian's order.
    Downgraded,
    /// The same version again.
    Reinstalled,
    Removed,
    Configured,
    Deployed,
    Started,
    Stopped,
    Reloaded,
    Failed,
    /// A command was run; what it did is not said.
    Ran,
}

/// What it was done to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A package, without its architecture.
    Package(Untrusted),
    /// A service, without `.service`.
    Unit(Untrusted),
    /// A command with its arguments.
    Command(Untrusted),
}

/// What a message says was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What was done.
    pub what: Deed,
    /// To what.
    pub subject: Option<Subject>,
    /// The version before.
    pub from: Option<Untrusted>,
    /// The version after.
    pub to: Option<Untrusted>,
    /// Who did it: a person's name, to be shown only when asked for.
    pub user: Option<Untrusted>,
    /// Packages that a list or a command names, at most 32, in its order.
    pub packages: Vec<Untrusted>,
}

impl Change {
    /// Reads a message by the first pattern that fits.
    pub(super) fn read(what: Deed, captures: &[Capture], message: &[u8]) -> Option<Self> {
        let mut change = Self { what, subject: None, from: None, to: None, user: None, packages: Vec::new() };
        if captures.is_empty() {
            return Some(change);
        }
        for (field, value) in captures.iter().find_map(|capture| capture.read(message))? {
            match field {
                Field::Package => change.subject = Some(Subject::Package(package(value))),
                Field::Packages => {
                    change.packages = list(value.split(u8::is_ascii_whitespace));
                    change.subject = change.packages.first().cloned().map(Subject::Package);
                }
                Field::Unit => change.subject = unit(value).map(Subject::Unit),
                Field::Command => change.command(value),
                Field::From => change.from = version_of(value),
                Field::To => change.to = version_of(value),
                Field::User => change.user = Some(kept(value)),
                Field::Ignored => {}
            }
        }
        if let (Deed::Upgraded, Some(from), Some(to)) = (change.what, &change.from, &change.to) {
            change.what = match version::compare(from.raw(), to.raw()) {
                Ordering::Less => Deed::Upgraded,
                Ordering::Equal => Deed::Reinstalled,
                Ordering::Greater => Deed::Downgraded,
            };
        }
        Some(change)
    }

    /// A command, and what it does if that is plain from its words.
    fn command(&mut self, command: &[u8]) {
        self.subject = Some(Subject::Command(kept(command)));
        let (program, arguments) = program_of(command);
        if let Some((what, rest)) = asked_of_packages(program, arguments) {
            self.what = what;
            let names = rest.split(u8::is_ascii_whitespace).filter(|w| !w.starts_with(b"-"));
            // `shop=2.0.0`, `shop/stable`, `./shop_2.0.0_all.deb`
            let name = |word: &'_ [u8]| {
                let file = word.ends_with(b".deb") || word.ends_with(b".rpm");
                let base = if file { word.rsplit(|b| *b == b'/').next().unwrap_or(word) } else { word };
                let end = base.iter().position(|b| if file { *b == b'_' } else { b"=/".contains(b) });
                end.and_then(|end| base.get(..end)).unwrap_or(base).to_vec()
            };
            let names: Vec<Vec<u8>> = names.map(name).filter(|n| !n.is_empty()).collect();
            self.packages = list(names.iter().map(Vec::as_slice));
        }
    }

    /// The package, service or command as it is written.
    pub fn name(&self) -> Option<&Untrusted> {
        match self.subject.as_ref()? {
            Subject::Package(name) | Subject::Unit(name) | Subject::Command(name) => Some(name),
        }
    }

    /// Everything that was written by a stranger, but for versions and the user: what may hold a secret.
    pub fn texts_mut(&mut self) -> impl Iterator<Item = &mut Untrusted> {
        let name = self.subject.as_mut().map(|subject| match subject {
            Subject::Package(name) | Subject::Unit(name) | Subject::Command(name) => name,
        });
        name.into_iter().chain(&mut self.packages)
    }

    /// What one did, the other undid: the same package back at its version, the same service up again.
    pub fn undoes(&self, other: &Self) -> bool {
        let (Some(Subject::Package(mine)), Some(Subject::Package(theirs))) = (&self.subject, &other.subject)
        else {
            return false;
        };
        if mine != theirs {
            return false;
        }
        let back = self.to.is_some() && self.to == other.from;
        back || matches!(
            (other.what, self.what),
            (Deed::Installed, Deed::Removed) | (Deed::Removed, Deed::Installed)
        )
    }
}

/// The name of the program that a command runs, without its folders, and its arguments.
pub(super) fn program_of(command: &[u8]) -> (&[u8], &[u8]) {
    let command = command.trim_ascii();
    let end = command.iter().position(u8::is_ascii_whitespace).unwrap_or(command.len());
    let (path, arguments) = command.split_at_checked(end).unwrap_or((command, b""));
    (path.rsplit(|b| *b == b'/').next().unwrap_or(path), arguments.trim_ascii())
}

/// What a package manager is told to do, and the words after that.
fn asked_of_packages<'a>(program: &[u8], arguments: &'a [u8]) -> Option<(Deed, &'a [u8])> {
    let manager =
        [&b"apt"[..], b"apt-get", b"aptitude", b"yum", b"dnf", b"dpkg", b"zypper", b"snap", b"pip", b"pip3"];
    if !manager.contains(&program) {
        return None;
    }
    let mut rest = arguments;
    while !rest.is_empty() {
        let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end)?;
        rest = after.trim_ascii_start();
        let what = match word {
            b"install" | b"-i" | b"--install" | b"localinstall" | b"reinstall" => Deed::Installed,
            b"upgrade" | b"dist-upgrade" | b"full-upgrade" | b"update" | b"refresh" | b"distro-sync" => {
                Deed::Upgraded
            }
            b"downgrade" => Deed::Downgraded,
            b"remove" | b"purge" | b"erase" | b"autoremove" | b"-r" | b"-P" | b"--purge" | b"uninstall" => {
                Deed::Removed
            }
            _ => continue,
        };
        return Some((what, rest));
    }
    None
}

fn list<'a>(words: impl Iterator<Item = &'a [u8]>) -> Vec<Untrusted> {
    words.filter(|w| !w.is_empty()).take(MAX_PACKAGES).map(package).collect()
}

fn kept(value: &[u8]) -> Untrusted {
    Untrusted::new(value.get(..MAX_VALUE).unwrap_or(value))
}

/// Without the architecture that dpkg writes behind it.
fn package(name: &[u8]) -> Untrusted {
    kept(name.split(|b| *b == b':').next().unwrap_or(name))
}

/// dpkg writes `<none>` where there is no version.
fn version_of(value: &[u8]) -> Option<Untrusted> {
    (!value.starts_with(b"<")).then(|| kept(value))
}

/// Without `.service`, and without the dots that systemd ends its sentences with.
fn unit(name: &[u8]) -> Option<Untrusted> {
    let end = name.iter().rposition(|b| *b != b'.').map_or(0, |at| at + 1);
    let name = name.get(..end).unwrap_or(name);
    let name = name.strip_suffix(b".service").unwrap_or(name);
    (!name.is_empty()).then(|| kept(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Rules;

    fn change(program: &str, message: &str) -> Change {
        let rules = Rules::built_in().unwrap();
        let id = rules.find(message.as_bytes(), Some(program.as_bytes())).unwrap();
        rules.change(id, message.as_bytes()).unwrap()
    }

    fn words(list: &[Untrusted]) -> Vec<&str> {
        list.iter().map(|w| std::str::from_utf8(w.raw()).unwrap()).collect()
    }

    #[test]
    fn an_upgrade_to_an_older_version_is_a_downgrade() {
        let up = change("dpkg", "upgrade shop:all 1.8.2 2.0.0");
        let down = change("dpkg", "upgrade shop:all 2.0.0 1.8.2");
        assert_eq!((up.what, down.what), (Deed::Upgraded, Deed::Downgraded));
        assert_eq!(up.subject, Some(Subject::Package("shop".into())));
        assert_eq!((down.from.clone(), down.to.clone()), (Some("2.0.0".into()), Some("1.8.2".into())));
        assert!(down.undoes(&up) && !up.undoes(&up));
        assert_eq!(change("dpkg", "upgrade shop:all 2.0.0 2.0.0").what, Deed::Reinstalled);
        assert_eq!(change("dpkg", "upgrade x:all 1:1.0-1 1.9-1").what, Deed::Downgraded);
    }

    #[test]
    fn what_was_not_there_has_no_version() {
        let change = change("dpkg", "install apache2:amd64 <none> 2.4.57-2");
        assert_eq!((change.what, change.from, change.to), (Deed::Installed, None, Some("2.4.57-2".into())));
    }

    #[test]
    fn the_user_of_a_command_is_kept_apart() {
        let told =
            "deploy : PWD=/home/deploy ; USER=root ; COMMAND=/usr/bin/apt-get install -y apache2 shop=2.0.0";
        let change = change("sudo", told);
        assert_eq!(change.user, Some("deploy".into()));
        assert_eq!(change.what, Deed::Installed);
        assert_eq!(
            change.subject,
            Some(Subject::Command("/usr/bin/apt-get install -y apache2 shop=2.0.0".into()))
        );
        assert_eq!(words(&change.packages), ["apache2", "shop"]);
        let told = "ann : PWD=/ ; USER=root ; COMMAND=/usr/bin/dpkg -i /tmp/shop_2.0.0_all.deb";
        assert_eq!(words(&super::tests::change("sudo", told).packages), ["shop"]);
    }

    #[test]
    fn apts_history_tells_command_and_user() {
        let told = "Start-Date: 2023-05-14  11:51:28\nCommandline: apt-get remove -y apache2\nRequested-By: deploy \
                    (1000)\nRemove: apache2:amd64 (2.4.68-1~deb12u1)\nEnd-Date: 2023-05-14  11:52:29";
        let change = change("apt", told);
        assert_eq!(change.subject, Some(Subject::Command("apt-get remove -y apache2".into())));
        assert_eq!((change.what, change.user), (Deed::Removed, Some("deploy".into())));
        assert_eq!(words(&change.packages), ["apache2"]);
    }

    #[test]
    fn services_have_one_name_however_they_are_written() {
        for (program, told) in [
            ("systemd", "Starting nginx.service - A high performance web server..."),
            ("systemd", "nginx.service: Main process exited, code=exited, status=1/FAILURE"),
            ("systemd", "Failed to start nginx.service - A high performance web server."),
            ("supervisord", "2023-05-14 12:00:06,599 INFO waiting for nginx to stop"),
            ("supervisord", "2023-05-14 12:47:55,377 INFO spawned: 'nginx' with pid 1592"),
        ] {
            let change = change(program, told);
            assert_eq!(change.subject, Some(Subject::Unit("nginx".into())), "{told}");
        }
    }
}
