//! Writes the log lines of a site as its servers would.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::layout::{Piece, Variable};
use super::play::{By, Request};
use super::site::Site;

const AGENTS: [&str; 8] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:123.0) Gecko/20100101 Firefox/123.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.3 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.3 Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Mobile Safari/537.36",
    "ShopApp/4.2.0 (Android 14)",
    "python-requests/2.31.0",
    "okhttp/4.12.0",
];
const SCANNED: [&str; 6] =
    ["/wp-login.php", "/.env", "/phpmyadmin/index.php", "/cgi-bin/test.cgi", "/.git/config", "/backup.zip"];

/// Writes a tree like that of a server: `var/log` with the logs, `etc/nginx` with the configuration. Returns the path
/// to hand to logtopsy.
pub(crate) fn write(site: &Site, requests: &[Request], root: &Path) -> io::Result<PathBuf> {
    let logs = root.join("var/log");
    if let Some(configuration) = site.layout.configuration() {
        fs::create_dir_all(root.join("etc/nginx"))?;
        fs::write(root.join("etc/nginx/nginx.conf"), configuration)?;
    }
    let mut files = Vec::new();
    for server in &site.servers {
        let name = if site.servers.len() > 1 { &server.name } else { "nginx" };
        fs::create_dir_all(logs.join(name))?;
        files.push(BufWriter::with_capacity(1 << 18, File::create(logs.join(name).join("access.log"))?));
    }
    let mut writer = LineWriter::new(site);
    for request in requests {
        let line = writer.line(request);
        files[usize::from(request.server)].write_all(line)?;
    }
    files.iter_mut().try_for_each(Write::flush)?;
    Ok(logs)
}

/// Makes lines. The text of a second's time is kept.
struct LineWriter<'a> {
    site: &'a Site,
    pieces: Vec<Piece>,
    line: Vec<u8>,
    second: Option<i64>,
    local: String,
    iso: String,
}

impl<'a> LineWriter<'a> {
    fn new(site: &'a Site) -> Self {
        let pieces = site.layout.pieces();
        Self { site, pieces, line: Vec::new(), second: None, local: String::new(), iso: String::new() }
    }

    fn line(&mut self, request: &Request) -> &[u8] {
        self.tell_time(self.site.start + i64::from(request.at_ms / 1000));
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => line.extend_from_slice(text),
                Piece::Value(variable) => self.value(*variable, request, &mut line),
            }
        }
        line.push(b'\n');
        self.line = line;
        &self.line
    }

    fn tell_time(&mut self, second: i64) {
        if self.second.replace(second) == Some(second) {
            return;
        }
        let zone = chrono::FixedOffset::east_opt(self.site.offset).unwrap();
        let time = chrono::DateTime::from_timestamp(second, 0).unwrap().with_timezone(&zone);
        self.local = time.format("%d/%b/%Y:%H:%M:%S %z").to_string();
        self.iso = time.format("%Y-%m-%dT%H:%M:%S%:z").to_string();
    }

    fn value(&self, variable: Variable, request: &Request, line: &mut Vec<u8>) {
        let site = self.site;
        match variable {
            Variable::Client => {
                // a network that is nobody's; the factor is odd, so that no two clients share an address
                let at = request.client.wrapping_mul(40_503) % (1 << 17);
                line.extend_from_slice(b"198.");
                for (n, end) in [(18 + (at >> 16), "."), ((at >> 8) & 255, "."), (at & 255, "")] {
                    number(u64::from(n), 1, line);
                    line.extend_from_slice(end.as_bytes());
                }
            }
            Variable::TimeLocal => line.extend_from_slice(self.local.as_bytes()),
            Variable::TimeIso => line.extend_from_slice(self.iso.as_bytes()),
            Variable::Millis => {
                number(site.start as u64 + u64::from(request.at_ms / 1000), 1, line);
                line.push(b'.');
                number(u64::from(request.at_ms % 1000), 3, line);
            }
            Variable::Request => {
                line.extend_from_slice(method(site, request).as_bytes());
                line.push(b' ');
                uri(site, request, line);
                line.extend_from_slice(b" HTTP/1.1");
            }
            Variable::Method => line.extend_from_slice(method(site, request).as_bytes()),
            Variable::Uri => uri(site, request, line),
            Variable::Protocol => line.extend_from_slice(b"HTTP/1.1"),
            Variable::Status | Variable::UpstreamStatus => number(u64::from(request.status), 1, line),
            Variable::Bytes => {
                let bytes = if request.status == 304 { 0 } else { 150 + u64::from(request.id % 30_000) };
                number(if request.status >= 500 { 157 } else { bytes }, 1, line);
            }
            Variable::Latency | Variable::UpstreamLatency => {
                number(u64::from(request.latency_ms / 1000), 1, line);
                line.push(b'.');
                number(u64::from(request.latency_ms % 1000), 3, line);
            }
            Variable::Host => line.extend_from_slice(site.vhosts[usize::from(request.vhost)].name.as_bytes()),
            Variable::Upstream => {
                line.extend_from_slice(site.upstreams[usize::from(request.upstream)].name.as_bytes());
            }
            Variable::Agent => line.extend_from_slice(agent(site, request).as_bytes()),
            Variable::Nothing => line.push(b'-'),
        }
    }
}

fn agent(site: &Site, request: &Request) -> &'static str {
    match request.by {
        By::Check => site.checks.map_or("", |checks| checks.1),
        By::User | By::Scanner => AGENTS[request.client as usize % AGENTS.len()],
    }
}

fn method(site: &Site, request: &Request) -> &'static str {
    let posts = request.by == By::User && site.routes[usize::from(request.route)].is_post;
    if posts { "POST" } else { "GET" }
}

fn uri(site: &Site, request: &Request, line: &mut Vec<u8>) {
    match request.by {
        By::Check => line.extend_from_slice(b"/healthz"),
        By::Scanner => {
            line.extend_from_slice(SCANNED[request.id as usize % SCANNED.len()].as_bytes());
        }
        By::User => {
            let pattern = &site.routes[usize::from(request.route)].pattern;
            let plain = pattern.strip_suffix("{n}");
            line.extend_from_slice(plain.unwrap_or(pattern).as_bytes());
            if plain.is_some() {
                number(u64::from(request.id % 9_000), 1, line);
            } else if request.id.is_multiple_of(8) {
                line.extend_from_slice(b"?page=");
                number(u64::from(request.id / 8 % 40), 1, line);
            }
        }
    }
}

/// A number with at least so many digits.
fn number(value: u64, digits: usize, line: &mut Vec<u8>) {
    let (mut text, mut at, mut rest) = ([b'0'; 20], 20, value);
    while rest > 0 || 20 - at < digits {
        at -= 1;
        text[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    line.extend_from_slice(&text[at..]);
}
