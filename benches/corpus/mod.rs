//! Logs as a busy site writes them, from a seed: the same bytes on any machine.

use std::fmt::Write as _;

/// The formats that can be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// nginx combined.
    Combined,
    /// nginx with `escape=json`.
    Json,
    /// Combined with timings, upstream and vhost behind: [`TIMED`].
    Timed,
    /// nginx's error.log.
    Error,
    /// An application's log with stack traces.
    Application,
    /// Thirty days of [`Kind::Timed`] with 20 vhosts, 12 upstreams and 40 routes that fail now and then.
    Month,
}

impl Kind {
    /// All of them with their names.
    pub(crate) const ALL: [(&'static str, Self); 6] = [
        ("combined", Self::Combined),
        ("timed", Self::Timed),
        ("json", Self::Json),
        ("error", Self::Error),
        ("application", Self::Application),
        ("month", Self::Month),
    ];

    /// Bytes per line, about.
    pub(crate) fn line_bytes(self) -> usize {
        match self {
            Self::Combined => 176,
            Self::Timed => 219,
            Self::Json => 291,
            Self::Error => 271,
            Self::Application => 83,
            Self::Month => 228,
        }
    }

    /// Days that a corpus of any size spans.
    fn days(self) -> u64 {
        if self == Self::Month { 30 } else { 1 }
    }
}

/// The `log_format` of [`Kind::Timed`].
#[allow(dead_code, reason = "the benches name the format, the generator does not")]
pub(crate) const TIMED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time $upstream_response_time $upstream_addr $host"#;

/// A site-day of traffic, line by line.
pub(crate) struct Corpus {
    kind: Kind,
    state: u64,
    /// Microseconds since the start of the first day.
    now_us: u64,
    /// Microseconds between requests, on average.
    gap_us: u64,
}

const AGENTS: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.5.0",
    "ELB-HealthChecker/2.0",
];
const PATHS: &[&str] = &[
    "/",
    "/products/",
    "/orders/",
    "/cart",
    "/static/app.css",
    "/static/app.js",
    "/api/v1/items/",
    "/search?q=",
];
const ROUTES: &[&str] = &[
    "orders", "items", "users", "carts", "prices", "stock", "search", "login", "mail", "reports", "images",
    "tags", "teams", "alerts", "plans",
];
const REFERRERS: &[&str] = &["-", "https://shop.example.com/", "https://www.google.com/"];

impl Corpus {
    /// A corpus of about this many bytes, which spans a day (a month), whatever its size.
    pub(crate) fn new(kind: Kind, seed: u64, bytes: usize) -> Self {
        let lines = u64::try_from(bytes / kind.line_bytes()).unwrap_or(u64::MAX).max(1);
        Self { kind, state: seed | 1, now_us: 0, gap_us: (kind.days() * 86_400_000_000 / lines).max(1) }
    }

    /// xorshift64*.
    fn next(&mut self, below: u64) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % below.max(1)
    }

    fn pick(&mut self, list: &'static [&'static str]) -> &'static str {
        let at = usize::try_from(self.next(list.len() as u64)).unwrap_or(0);
        list.get(at).copied().unwrap_or("-")
    }

    /// Appends a line of [`Kind::Month`].
    fn line_of_month(&mut self, out: &mut String) {
        let hour = self.now_us / 3_600_000_000 % 24;
        // the nights have a third of the requests
        let night = if (1..7).contains(&hour) { 3 } else { 1 };
        self.now_us += self.next(self.gap_us * 2 * night * 4 / 5);
        let second = self.now_us / 1_000_000;
        let day = second / 86_400;
        let (hour, minute, second) = (second / 3600 % 24, second / 60 % 60, second % 60);
        let (vhost, upstream, route) = (self.next(20), self.next(12), self.next(60));
        // ten minutes of everything, of a vhost, of an upstream and of a route in each week
        let broken = minute < 10
            && match (day % 7, hour) {
                (1, 12) => true,
                (3, 15) => vhost == day % 20,
                (4, 9) => upstream == day % 12,
                (5, 18) => route == day % 40,
                _ => false,
            };
        let dice = self.next(1000);
        let status = match dice {
            0..970 if broken => 502,
            0..5 if route < 40 => 500 + dice,
            5..8 => 499,
            8..30 => 404,
            _ => 200,
        };
        let (agent, referrer) = (self.pick(AGENTS), self.pick(REFERRERS));
        let latency = self.next(300) + self.next(300) + 100 * route / 20;
        let _ = writeln!(
            out,
            "{}.{}.{}.{} - - [{:02}/Jun/2023:{hour:02}:{minute:02}:{second:02} +0100] \"GET /api/v{}/{}/{} HTTP/1.1\" {status} {} \"{referrer}\" \"{agent}\" 0.{latency:03} 0.{latency:03} 10.0.0.{}:8080 shop-{}.example.com",
            1 + self.next(223),
            self.next(256),
            self.next(16),
            self.next(254),
            1 + day % 30,
            1 + route % 4,
            ROUTES.get(usize::try_from(route / 4).unwrap_or(0)).copied().unwrap_or("orders"),
            self.next(100_000),
            self.next(60_000),
            1 + upstream,
            char::from(b'a' + u8::try_from(vhost).unwrap_or(0)),
        );
    }

    /// Appends a line.
    pub(crate) fn line(&mut self, out: &mut String) {
        if self.kind == Kind::Month {
            return self.line_of_month(out);
        }
        self.now_us += self.next(self.gap_us * 2);
        let second = self.now_us / 1_000_000;
        let (day, hour, minute, second) =
            (second / 86_400, second / 3600 % 24, second / 60 % 60, second % 60);
        let client = (self.next(223) + 1, self.next(256), self.next(16), self.next(254));
        let mut path = self.pick(PATHS).to_owned();
        if path.ends_with(['/', '=']) && path.len() > 1 {
            let _ = write!(path, "{}", self.next(100_000));
        }
        // an outage of ten minutes at noon, and a thin background of failures
        let outage = hour == 12 && minute < 10;
        let status = match self.next(1000) {
            0..990 if outage => 502,
            0..3 => 500,
            3..30 => 404,
            30..60 => 304,
            _ => 200,
        };
        let bytes = self.next(60_000);
        let agent = self.pick(AGENTS);
        let referrer = self.pick(REFERRERS);
        let latency = self.next(900);
        let (a, b, c, d) = client;
        let day = 14 + day % 14;
        let _ = match self.kind {
            Kind::Combined => writeln!(
                out,
                "{a}.{b}.{c}.{d} - - [{day:02}/May/2023:{hour:02}:{minute:02}:{second:02} +0100] \"GET {path} HTTP/1.1\" {status} {bytes} \"{referrer}\" \"{agent}\"",
            ),
            Kind::Timed | Kind::Month => writeln!(
                out,
                "{a}.{b}.{c}.{d} - - [{day:02}/May/2023:{hour:02}:{minute:02}:{second:02} +0100] \"GET {path} HTTP/1.1\" {status} {bytes} \"{referrer}\" \"{agent}\" 0.{latency:03} 0.{latency:03} 10.0.0.{}:8080 {}",
                1 + bytes % 3,
                if bytes.is_multiple_of(5) { "blog.example.com" } else { "shop.example.com" },
            ),
            Kind::Json => writeln!(
                out,
                "{{\"time\":\"2023-05-{day:02}T{hour:02}:{minute:02}:{second:02}+01:00\",\"remote_addr\":\"{a}.{b}.{c}.{d}\",\"request\":\"GET {path} HTTP/1.1\",\"status\":\"{status}\",\"body_bytes_sent\":{bytes},\"request_time\":\"0.{latency:03}\",\"http_referer\":\"{referrer}\",\"http_user_agent\":\"{agent}\"}}",
            ),
            Kind::Error => {
                let (level, text) = match bytes % 4 {
                    _ if outage => {
                        ("error", "connect() failed (111: Connection refused) while connecting to upstream")
                    }
                    0 => (
                        "error",
                        "open() \"/var/www/html/favicon.ico\" failed (2: No such file or directory)",
                    ),
                    1 => (
                        "warn",
                        "an upstream response is buffered to a temporary file /var/cache/nginx/1/00/1 while reading upstream",
                    ),
                    2 => ("info", "client closed connection while waiting for request"),
                    _ => ("notice", "a client request body is buffered to a temporary file"),
                };
                writeln!(
                    out,
                    "2023/05/{day:02} {hour:02}:{minute:02}:{second:02} [{level}] 812#812: *{bytes} {text}, client: {a}.{b}.{c}.{d}, server: shop.example.com, request: \"GET {path} HTTP/1.1\", upstream: \"http://10.0.0.1:8080{path}\", host: \"shop.example.com\"",
                )
            }
            Kind::Application if outage || latency < 4 => writeln!(
                out,
                "2023-05-{day:02} {hour:02}:{minute:02}:{second:02},{latency:03} ERROR shop.orders: order {bytes} failed\nTraceback (most recent call last):\n  File \"/srv/shop/orders.py\", line 212, in place\n    session.commit()\n  File \"/srv/shop/db.py\", line 41, in commit\n    raise Unavailable(self.host)\nshop.db.Unavailable: 10.0.0.9",
            ),
            Kind::Application => writeln!(
                out,
                "2023-05-{day:02} {hour:02}:{minute:02}:{second:02},{latency:03} INFO shop.orders: order {bytes} placed by {a}.{b}.{c}.{d} in {latency} ms",
            ),
        };
    }

    /// About `bytes` of whole lines.
    pub(crate) fn text(&mut self, bytes: usize) -> String {
        let mut out = String::with_capacity(bytes + 512);
        while out.len() < bytes {
            self.line(&mut out);
        }
        out
    }
}
