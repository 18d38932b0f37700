//! A site that is played by a seeded generator: requests come at random, and what is wrong is known exactly.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// 2024-03-05 10:00:00 UTC: a plain Tuesday.
pub(crate) const START: i64 = 1_709_632_800;

/// Random numbers (`SplitMix64`): the same for the same seed, everywhere.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to, without, `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// True that often.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        #[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
        let uniform = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        uniform < share
    }
}

/// One request as it was, whatever log it ends in.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Seconds since the epoch, when it was answered.
    pub(crate) at: i64,
    pub(crate) client: String,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) bytes: u64,
    pub(crate) agent: &'static str,
    pub(crate) latency_ms: u64,
}

const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:123.0) Gecko/20100101 Firefox/123.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.3 Mobile/15E148 Safari/604.1",
    "ShopApp/4.2.0 (Android 14)",
];
const PATHS: [&str; 6] = ["/", "/products", "/cart", "/checkout", "/api/prices", "/search?q=shoes"];

/// Healthy traffic of `seconds` seconds with `per_second` requests on average; one in a thousand times
/// `background` fails with 500.
pub(crate) fn traffic(seed: u64, seconds: i64, per_second: u64, background: f64) -> Vec<Request> {
    let mut dice = Dice::new(seed);
    let mut requests = Vec::new();
    for second in 0..seconds {
        // 0 … 2 × the mean: steady, and no second like the next
        for _ in 0..dice.below(2 * per_second + 1) {
            requests.push(user_request(&mut dice, START + second, background));
        }
    }
    requests
}

/// A request of a user.
pub(crate) fn user_request(dice: &mut Dice, at: i64, background: f64) -> Request {
    let n = dice.below(400);
    let agent = AGENTS[usize::try_from(n % 4).unwrap()];
    let path = PATHS[usize::try_from(dice.below(6)).unwrap()];
    Request {
        at,
        client: format!("203.0.{}.{}", 100 + n / 200, 1 + n % 200),
        method: if path == "/checkout" { "POST" } else { "GET" },
        path: path.to_owned(),
        status: if dice.chance(background) { 500 } else { 200 },
        bytes: 500 + dice.below(20_000),
        agent,
        latency_ms: 20 + dice.below(100),
    }
}

/// Lets a share of the requests in [`from`, `to`) seconds after the start fail.
pub(crate) fn fail(requests: &mut [Request], seed: u64, from: i64, to: i64, share: f64, status: u16) {
    let mut dice = Dice::new(seed);
    let inside = |r: &&mut Request| (START + from..START + to).contains(&r.at);
    for request in requests.iter_mut().filter(inside) {
        if dice.chance(share) {
            request.status = status;
            request.bytes = 157;
        }
    }
}

/// What is true of the requests from the first to the last failing one of [`from`, `to`).
#[derive(Debug, PartialEq)]
pub(crate) struct Truth {
    /// Second of the first failing request.
    pub(crate) start: i64,
    /// One second past that of the last.
    pub(crate) end: i64,
    pub(crate) affected: u64,
    pub(crate) total: u64,
    pub(crate) affected_clients: u64,
    pub(crate) total_clients: u64,
}

impl Truth {
    pub(crate) fn of(requests: &[Request], from: i64, to: i64) -> Self {
        let within = |r: &&Request| (START + from..START + to).contains(&r.at);
        let failing = |r: &&Request| r.status >= 500;
        let times: Vec<i64> = requests.iter().filter(within).filter(failing).map(|r| r.at).collect();
        let (start, end) = (*times.iter().min().unwrap(), times.iter().max().unwrap() + 1);
        let inside: Vec<&Request> = requests.iter().filter(|r| (start..end).contains(&r.at)).collect();
        let failed: Vec<&Request> = inside.iter().copied().filter(|r| r.status >= 500).collect();
        let clients =
            |of: &[&Request]| of.iter().map(|r| r.client.as_str()).collect::<BTreeSet<_>>().len() as u64;
        Self {
            start,
            end,
            affected: failed.len() as u64,
            total: inside.len() as u64,
            affected_clients: clients(&failed),
            total_clients: clients(&inside),
        }
    }

    pub(crate) fn percent(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "small numbers")]
        let share = self.affected as f64 / self.total as f64;
        share * 100.0
    }
}

fn clock(at: i64, format: &str) -> String {
    chrono::DateTime::from_timestamp(at, 0).unwrap().format(format).to_string()
}

/// A line of the combined format.
pub(crate) fn combined_line(r: &Request) -> String {
    let time = clock(r.at, "%d/%b/%Y:%H:%M:%S +0000");
    format!(
        "{} - - [{time}] \"{} {} HTTP/1.1\" {} {} \"-\" \"{}\"",
        r.client, r.method, r.path, r.status, r.bytes, r.agent
    )
}

/// The requests as nginx's or Apache's combined log.
pub(crate) fn combined(requests: &[Request]) -> String {
    requests.iter().fold(String::new(), |mut log, r| {
        writeln!(log, "{}", combined_line(r)).unwrap();
        log
    })
}

/// The requests as a JSON access log with latency.
pub(crate) fn json(requests: &[Request]) -> String {
    requests.iter().fold(String::new(), |mut log, r| {
        let line = serde_json::json!({
            "time": clock(r.at, "%Y-%m-%dT%H:%M:%S+00:00"),
            "remote_addr": r.client,
            "request_method": r.method,
            "request_uri": r.path,
            "status": r.status,
            "body_bytes_sent": r.bytes,
            "request_time": format!("{}.{:03}", r.latency_ms / 1000, r.latency_ms % 1000),
            "http_user_agent": r.agent,
        });
        writeln!(log, "{line}").unwrap();
        log
    })
}
