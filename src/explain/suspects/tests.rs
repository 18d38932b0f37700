use super::*;
use crate::detect::Series;
use crate::explain::{Sighting, changes};
use crate::inspect::{Closeup, Line};
use crate::model::{Dimension, Location, SourceId, Untrusted};
use crate::signature::Rules;
use crate::survey::RareKind;

/// Lines of logs, each by its program, and what is said of an incident from `ONSET` to `END`.
struct Scene {
    rules: Rules,
    names: Vec<Untrusted>,
    sightings: Vec<Sighting>,
    closeup: Closeup,
}

const NOON: i64 = 1_684_065_600;
const ONSET: i64 = NOON;
const END: i64 = NOON + 1_800;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

impl Scene {
    fn new(lines: &[(i64, &str, &str)]) -> Self {
        let names = ["var/log/syslog", "var/log/apache2/access.log"].map(Untrusted::from).to_vec();
        let mut scene = Self {
            rules: Rules::built_in().unwrap(),
            names,
            sightings: Vec::new(),
            closeup: Closeup::default(),
        };
        for (seconds, program, text) in lines {
            scene.see(0, *seconds, program, text);
        }
        let line = Line { time: at(ONSET), source: SourceId(1), offset: 0, number: 1, text: Box::default() };
        scene.closeup.affected.first = Some(line);
        scene
    }

    fn see(&mut self, source: u32, seconds: i64, program: &str, text: &str) {
        let kind = self.rules.find(text.as_bytes(), Some(program.as_bytes()));
        let kind = RareKind::Rule(kind.unwrap_or_else(|| panic!("no rule knows {text}")));
        let location = Location { source: SourceId(source), line: self.sightings.len() as u64 + 1 };
        let time = at(ONSET + seconds);
        self.sightings.push(Sighting { time, kind, level: None, text: text.into(), count: 1, location });
        self.sightings.sort_by_key(|s| (s.time, s.location));
    }

    fn with<T>(&self, ask: impl FnOnce(&Case<'_>) -> T) -> T {
        ask(&Case {
            windows: &[],
            bursts: &[],
            incidents: &[],
            closeups: &[],
            streams: &[],
            blips: &[],
            caveats: &[],
            series: &Series::default(),
            sightings: &self.sightings,
            names: &self.names,
            rules: &self.rules,
        })
    }

    fn suspects(&self) -> Vec<Suspect> {
        self.with(|case| {
            suspects(
                case,
                &changes::actions(case),
                &Failing::new(case, &self.closeup, &[]),
                (at(ONSET), at(END)),
            )
        })
    }
}

fn texts(suspects: &[Suspect]) -> Vec<&str> {
    suspects.iter().map(|s| std::str::from_utf8(s.text.raw()).unwrap()).collect()
}

#[test]
fn nothing_in_the_logs_is_an_answer() {
    assert_eq!(Scene::new(&[]).suspects(), []);
    // a symptom is none, nor is somebody who looked
    let told = [
        (-5, "nginx", "connect() failed (111: Connection refused) while connecting to upstream"),
        (-5, "sudo", "ann : PWD=/ ; USER=root ; COMMAND=/usr/bin/tail /var/log/syslog"),
    ];
    assert_eq!(Scene::new(&told).suspects(), []);
}

#[test]
fn the_upgrade_that_a_reload_put_into_effect_is_suspected_before_the_reload() {
    let scene = Scene::new(&[
        (-906, "sudo", "deploy : PWD=/ ; USER=root ; COMMAND=/usr/bin/apt-get upgrade -y"),
        (-878, "dpkg", "upgrade python3-shopsession:all 1.4.2 1.5.0"),
        (-2, "gunicorn", "Hang up: Master"),
        (906, "dpkg", "upgrade python3-shopsession:all 1.5.0 1.4.2"),
        (1_200, "supervisord", "spawned: 'shop' with pid 1441"),
    ]);
    let found = scene.suspects();
    assert_eq!(texts(&found), ["upgrade python3-shopsession:all 1.4.2 1.5.0", "Hang up: Master"]);
    assert!(found[0].why.contains(&Reason::TookEffect { at: at(ONSET - 2) }), "{:?}", found[0].why);
    assert!(found[0].why.contains(&Reason::Undone { at: at(ONSET + 906) }));
    assert_eq!(found[0].change.as_ref().unwrap().user, Some("deploy".into()));
    assert_eq!(trigger(&found), Some(&found[0]));
    let remedy = scene.with(|case| remedy(case, &changes::actions(case), &found, (at(ONSET), at(END))));
    assert_eq!(
        remedy.iter().map(|r| (r.time, r.undoes_suspect)).collect::<Vec<_>>(),
        [(at(ONSET + 906), true), (at(ONSET + 1_200), false)]
    );
}

#[test]
fn one_run_of_the_package_manager_is_one_suspect() {
    let scene = Scene::new(&[
        (-544, "sudo", "deploy : PWD=/ ; USER=root ; COMMAND=/usr/bin/apt-get install -y apache2"),
        (-521, "apt", "Start-Date: 2023-05-14  11:51:28"),
        (-521, "dpkg", "install libapr1:amd64 <none> 1.7.2-3"),
        (-500, "dpkg", "install libxml2:amd64 <none> 2.9.14"),
        (-480, "dpkg", "install apache2:amd64 <none> 2.4.57-2"),
    ]);
    let found = scene.suspects();
    assert_eq!(texts(&found), ["install apache2:amd64 <none> 2.4.57-2"]);
    assert_eq!((found[0].more_packages, found[0].kind), (2, EntryKind::Change));
}

#[test]
fn the_command_speaks_for_packages_whose_lines_were_not_kept() {
    let scene = Scene::new(&[
        (-544, "sudo", "deploy : PWD=/ ; USER=root ; COMMAND=/usr/bin/apt-get install -y apache2"),
        (-521, "dpkg", "install libapr1:amd64 <none> 1.7.2-3"),
    ]);
    // and nobody's name stands in it
    assert_eq!(texts(&scene.suspects()), ["/usr/bin/apt-get install -y apache2"]);
    assert_eq!(scene.suspects()[0].kind, EntryKind::Change);
}

#[test]
fn a_server_that_could_not_start_is_as_suspicious_as_a_change() {
    let bind = "(98)Address already in use: AH00072: make_sock: could not bind to address [::]:80";
    let scene = Scene::new(&[
        (-4, "dpkg", "upgrade shop:all 1.8.2 2.0.0"),
        (-3, "supervisord", "waiting for shop to stop"),
        (12, "apachectl", bind),
        (12, "apachectl", "no listening sockets available, shutting down"),
        (90, "apachectl", "AH00526: Syntax error on line 12 of /etc/apache2/x.conf:"),
    ]);
    let found = scene.suspects();
    assert_eq!(texts(&found), ["upgrade shop:all 1.8.2 2.0.0", bind, "waiting for shop to stop"]);
    assert_eq!(found[1].why, [Reason::CanCauseIt]);
    assert_eq!(found[1].against, [Reason::AfterOnset { seconds: 12.0 }]);
    assert_eq!(found[2].against, [Reason::Follows { at: at(ONSET - 4) }]);
    // the span to recovery is never counted from a failure
    let lone = Scene::new(&[(-5, "apachectl", bind)]).suspects();
    assert_eq!((lone.len(), trigger(&lone)), (1, None));
}

#[test]
fn a_name_that_failed_speaks_for_a_suspect() {
    let scene = Scene::new(&[
        (-600, "systemd", "Started blog.service - Blog."),
        (-600, "systemd", "Started apache2.service - The Apache HTTP Server."),
    ]);
    let found = scene.suspects();
    assert_eq!(texts(&found)[0], "Started apache2.service - The Apache HTTP Server.");
    let named = |r: &Reason| matches!(r, Reason::NamesWhatFailed { dimension: Dimension::Source, .. });
    assert!(found[0].why.iter().any(named) && !found[1].why.iter().any(named));
}

#[test]
fn what_happens_every_day_is_less_suspicious() {
    let job = "(root) CMD (supervisorctl signal HUP shop)";
    let day = 86_400;
    let lines = [(-60, "CRON", job), (-60 - day, "CRON", job), (-50 - 2 * day, "CRON", job)];
    let found = Scene::new(&lines).suspects();
    assert_eq!(found[0].against, [Reason::EveryDay { days: 2 }]);
    let once = Scene::new(&lines[..1]).suspects();
    assert!(once[0].score > found[0].score);
}

#[test]
fn what_happens_without_an_outage_is_less_suspicious() {
    let graceful = "AH00171: Graceful restart requested, doing restart";
    let found = Scene::new(&[
        (-60, "apache2", graceful),
        (-4_000, "apache2", graceful),
        (-9_000, "apache2", graceful),
    ])
    .suspects();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].against, [Reason::Recurs { times: 2 }]);
}

#[test]
fn another_machine_is_less_suspicious() {
    let mut scene = Scene::new(&[]);
    scene.names = ["web-01/syslog", "web-01/access.log", "web-02/syslog"].map(Untrusted::from).to_vec();
    scene.see(0, -60, "systemd", "Stopped shop.service - Shop.");
    scene.see(2, -30, "systemd", "Stopped shop.service - Shop.");
    let found = scene.suspects();
    assert_eq!(found[0].location.source, SourceId(0));
    assert!(found[0].why.contains(&Reason::SameHost));
    let all = scene.with(changes::actions);
    assert_eq!(all.len(), 2);
}

#[test]
fn hours_before_is_too_long_but_for_changes() {
    let lines = [
        (-7_000, "dpkg", "upgrade shop:all 1.8.2 2.0.0"),
        (-7_000, "systemd", "Stopped blog.service - Blog."),
        (-7_300, "dpkg", "install x:all <none> 1"),
    ];
    let found = Scene::new(&lines).suspects();
    assert_eq!(texts(&found)[0], "upgrade shop:all 1.8.2 2.0.0");
    assert!(found[0].against.contains(&Reason::LongBefore { seconds: 7_000.0 }));
    assert!(found.len() <= 2 && trigger(&found) == Some(&found[0]));
}

#[test]
fn the_first_alert_of_an_incident_is_the_first_after_its_onset() {
    let scene = Scene::new(&[
        (-4_000, "http-watch", "ALERT http-5xx: 60% of 30 requests failed in the last 60 s"),
        (600, "http-watch", "ALERT http-5xx: 81.3% of 75 requests failed in the last 60 s"),
        (700, "monit", "'nginx' process is not running"),
    ]);
    let alert = scene.with(|case| changes::first_alert(case, at(ONSET), at(END)).map(|s| s.time));
    assert_eq!(alert, Some(at(ONSET + 600)));
}
