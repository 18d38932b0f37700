#!/usr/bin/env python3
"""Count the truth of one recorded sample from its finished logs, and write truth.toml.

usage: count_truth.py SAMPLE_DIRECTORY

This script knows nothing of any other tool.  It reads the edge's access logs, all rotations of all hosts; of the other logs
the line that tells of the change, and what the application says of its lone failures.

Rules
* probe: path /healthz, or the agent of a health checker or monitor, or apache2's "internal dummy connection".
* no request: the quoted request is not "METHOD target HTTP/x.y".
* scanner: a client (address) with at least five 4xx answers and not one answer below 400.
* user request: every other request line.
* failed: a 5xx status; where a sample has impatient clients, also 499 (nginx: the client closed the connection).
* an incident of errors: the dominant status is the 5xx that user requests got most often in the whole log; its first
  and last line are those of its one long stretch: hits of the dominant status that follow each other within
  QUIET seconds, with no more than FEW good answers of the application in between, form a stretch; the stretch
  with most hits counts.  Then the stretch grows over other failed
  answers (502 and 503 of a restart) that adjoin it: within ADJOIN seconds of its border and in a run that has
  no user request answered well in between, so that a lone background 500 before or after is left out.
  A 500 that the application's log puts down to its lone failures (StockTimeout, same second) moves no border.
  Where only one vhost or some paths were hit, "good answers" are those within that scope.  With several hosts each has
  its stretch; if all overlap they are one incident, from the first start to the last end.
* start: the time in the line of the first affected user request; end: one second past that of the last.
* silence: the longest time without any line, probes included, in the access log of one host while its peer goes on;
  start is one second past the last line, end is the time of the first line after.
* slowed: user requests fall into two classes, those answered by the application (they have an upstream time) and those
  that the edge answers itself.  A class is slowed if its median latency during the incident is at least 1.5 times
  that of the time before and after (MARGIN seconds left out); share is the part of the user requests that is of slowed
  classes, factor the ratio of the medians.
* change to recovery: from the time of the line that tells of the change to the end.
"""
import glob
import gzip
import json
import os
import re
import sys
from collections import Counter
from datetime import datetime, timedelta
from statistics import median

QUIET, FEW, ADJOIN, MARGIN = 60, 3, 60, 300
LINE = re.compile(r'^(?:(?P<vhost>[^ ]+):\d+ )?(?P<client>\S+) \S+ \S+ \[(?P<time>[^\]]+)\] "(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) \S+ '
                  r'"(?:[^"\\]|\\.)*" "(?P<agent>(?:[^"\\]|\\.)*)"(?: rt=(?P<took>\S+) urt=(?P<upstream_took>[^"]*))?$')
REQUEST = re.compile(r'^[A-Z]+ \S+ HTTP/\d\.\d$')
PROBE_AGENT = re.compile(r'ELB-HealthChecker|kube-probe|UptimeRobot|internal dummy connection')
EDGE_ITSELF = re.compile(r'GET /(robots\.txt|favicon\.ico|static/)')    # some edge answers these without the application

# What was played: which line tells of the change (log, pattern), and where it hurt if not everywhere.
PLAYED = {
    "bad-gateway": dict(change=("dpkg.log", r" upgrade shop:all 1\.8\.2 2\.0\.0")),
    "web-01": dict(change=("dpkg.log", r" upgrade python3-shopsession:all 1\.4\.2 1\.5\.0")),
    "upgrade-500": dict(change=("dpkg.log", r" upgrade python3-shopdb:all 2\.3\.1 2\.4\.0")),
    "full-outage": dict(change=("dpkg.log", r" upgrade python3-shopsession:all 1\.4\.2 1\.5\.0")),
    "one-of-two": dict(silent="web-02", change=("auth.log", r"COMMAND=/usr/sbin/nginx -s reload")),
    "one-vhost": dict(change=("dpkg.log", r" upgrade shop-api:all 2\.8\.0 2\.9\.0"), scope=("vhost", ["api.shop.example"])),
    "json-504": dict(change=("auth.log", r"COMMAND=.*reindex\.py"), scope=("path", ["/search", "/suggest"]), also=("upstream", ["127.0.0.1:8001"]), abandoned=True),
    "midnight-rotation": dict(change=("auth.log", r"COMMAND=/usr/bin/chmod -R go-rwx /var/lib/shop")),
    "quiet-day": dict(noise=True),
}


class Row:
    def __init__(self, source, when, client, request, status, agent, vhost=None, took=None, upstream=None, by_application=None):
        self.source, self.when, self.client, self.request, self.status = source, when, client, request, status
        self.agent, self.vhost, self.took, self.upstream, self.by_application = agent, vhost, took, upstream, by_application
        parts = request.split(" ")
        self.path = parts[1].split("?")[0] if len(parts) > 1 else ""
        self.is_request = bool(REQUEST.match(request))
        self.is_probe = bool(PROBE_AGENT.search(agent)) or self.path == "/healthz"


def read(source, line):
    if line.startswith("{"):
        j = json.loads(line)
        request = " ".join((j["verb"], j["uri"], j["proto"])) if j["verb"] else ""
        return Row(source, datetime.fromisoformat(j["time"]), j["remote"], request, j["status"], j["agent"], j["vhost"],
                   float(j["request_time"]), j["upstream"])
    m = LINE.match(line)
    if not m:
        return None
    return Row(source, datetime.strptime(m["time"], "%d/%b/%Y:%H:%M:%S %z"), m["client"], m["request"], int(m["status"]), m["agent"],
               m["vhost"], float(m["took"]) if m["took"] else None, None, m["upstream_took"] != "-" if m["took"] else None)


def opened(path):
    return (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8", errors="surrogateescape")


directory = sys.argv[1].rstrip("/")
name = os.path.basename(os.path.abspath(directory))
played = PLAYED[name]
hosts = [""] if os.path.isdir(directory + "/var") else sorted(os.path.basename(h[:-4]) for h in glob.glob(directory + "/*/var"))
patterns = []
for host in hosts:
    some = [os.path.join(host, p) for p in ("var/log/nginx/access.log*", "var/log/apache2/access.log*", "var/log/apache2/other_vhosts_access.log*")
            if any(os.path.getsize(f) for f in glob.glob(os.path.join(directory, host, p)))]
    assert len(some) == 1, some
    patterns += some

rows, odd = [], 0
for host, pattern in zip(hosts, patterns):
    for path in sorted(glob.glob("%s/%s" % (directory, pattern))):
        for line in opened(path):
            row = read(host, line.rstrip("\n"))
            if row is None:
                odd += 1
                print("not understood: %s: %r" % (path, line), file=sys.stderr)
            else:
                rows.append(row)
assert rows and odd == 0
rows.sort(key=lambda r: r.when)
zone = rows[0].when.strftime("%z")
zone = zone[:3] + ":" + zone[3:]

good = Counter(r.client for r in rows if r.status < 400)
bad = Counter(r.client for r in rows if 400 <= r.status < 500)
scanners = {c for c, n in bad.items() if n >= 5 and not good[c]}
users = [r for r in rows if not r.is_probe and r.is_request and r.client not in scanners]


def has_failed(row):
    return row.status >= 500 or row.status == 499 and played.get("abandoned", False)


def seconds(a, b):
    return int((b - a).total_seconds())


def times_in_log(log, pattern):
    """The times of matching lines of a log other than the edge's, on every host: (host, time)."""
    found = []
    for host in hosts:
        for path in glob.glob(os.path.join(directory, host, "var/log", log) + "*"):
            for line in opened(path):
                if re.search(pattern, line):
                    if m := re.match(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d", line):
                        when = datetime.strptime(m[0].replace("T", " "), "%Y-%m-%d %H:%M:%S")
                    else:
                        when = datetime.strptime("%d %s" % (rows[0].when.year, line[:15]), "%Y %b %d %H:%M:%S")
                    found.append((host, when.replace(tzinfo=rows[0].when.tzinfo)))
    return found


out = ["# Counted by record/count_truth.py from the finished logs; not by hand."]


def tell(key, value, note=""):
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, float):
        text = "%.2f" % value if value >= 0.1 or value == 0 else "%.4f" % value
    elif isinstance(value, int):
        text = str(value)
    elif isinstance(value, datetime):
        text = '"%s"' % value.isoformat()
    elif isinstance(value, list):
        text = "[%s]" % ", ".join('"%s"' % v for v in value)
    else:
        text = '"%s"' % value
    out.append("%s = %s%s" % (key, text, note and "    # " + note))


def percent(part, whole):
    return 100 * part / whole if whole else 0.0


def head():
    tell("name", name)
    tell("timezone", zone)
    tell("edge", patterns)
    tell("first_line", rows[0].when)
    tell("last_line", rows[-1].when)
    if played.get("noise"):
        tell("noise", True, "nothing here is an incident")
        out.append("incident = []")
    out.append("\n[totals]")
    tell("requests", len(rows), "every line at the edge, probes included")
    tell("probe_requests", sum(r.is_probe for r in rows))
    tell("scanner_requests", sum(r.client in scanners for r in rows))
    tell("no_request_lines", sum(not r.is_request for r in rows))
    tell("user_requests", len(users))
    tell("failed_requests", sum(r.status >= 500 for r in rows), "5xx, probes included")


def in_scope(row):
    if "scope" not in played:
        return True
    dimension, values = played["scope"]
    return getattr(row, dimension) in values


def lone_failures():
    """What the application's logs tell of its background failures: (host, path, time of the line)."""
    found = set()
    for host in hosts:
        for path in glob.glob(os.path.join(directory, host, "var/log/app/app.log*")):
            at = None
            for line in opened(path):
                if m := re.match(r"(\S+) ERROR \[\d+\] shop: Exception on (\S+) \[", line):
                    at = (host, m[2], datetime.strptime(m[1], "%Y-%m-%dT%H:%M:%S%z"))
                elif line.startswith("shop.StockTimeout") and at:
                    found.add(at)
    return found


def stretch_of(some, status):
    """First and last affected time of the one long stretch among these user requests, or None."""
    stretch, best, good_between = [], [], 0
    for r in some:
        if not has_failed(r) and not EDGE_ITSELF.match(r.request):
            good_between += 1
        if r.status == status:
            if stretch and ((r.when - stretch[-1].when).total_seconds() > QUIET or good_between > FEW):
                stretch = []
            good_between = 0
            stretch.append(r)
            if len(stretch) > len(best):
                best = stretch
    if not best:
        return None

    # other failures that adjoin: walk outward, stop at the first user request that the application answered well
    def grow(seq, border):
        for r in seq:
            if abs((r.when - border).total_seconds()) > ADJOIN:
                break
            if has_failed(r):
                border = r.when
            elif not EDGE_ITSELF.match(r.request):
                break
        return border

    # several requests share a second: walk from the last line in that second, never from inside it
    first, last = best[0].when, best[-1].when
    return (grow([r for r in reversed(some) if r.when < first], first), grow([r for r in some if r.when > last], last))


def tell_change(end):
    log, pattern = played["change"]
    found = times_in_log(log, pattern)
    assert found, "no line tells of the change"
    host, when = min(found, key=lambda f: f[1])
    tell("change", when, "%s: %s" % (os.path.join(host, "var/log", log), pattern.strip().replace("\\", "")))
    tell("change_to_recovery_seconds", seconds(when, end))


def tell_errors():
    failed = [r for r in users if has_failed(r)]
    status = Counter(r.status for r in failed if in_scope(r) and r.status >= 500).most_common(1)[0][0]
    lone = lone_failures()
    near = [timedelta(seconds=s) for s in (-1, 0)]      # the application writes its line before the edge does
    telling = [r for r in users if in_scope(r) and not (r.status == 500 and any((r.source, r.path, r.when + s) in lone for s in near))]
    stretches = {h: stretch_of([r for r in telling if r.source == h], status) for h in hosts}
    assert all(stretches.values())
    first, last = min(s[0] for s in stretches.values()), max(s[1] for s in stretches.values())
    assert max(s[0] for s in stretches.values()) < min(s[1] for s in stretches.values()), "the hosts' stretches overlap"
    end = last + timedelta(seconds=1)

    inside = [r for r in users if first <= r.when < end]
    hit = [r for r in inside if has_failed(r)]
    everything = [r for r in rows if first <= r.when < end]
    out.append("\n[[incident]]")
    tell("signal", "errors")
    tell("signals", ["errors"])
    tell("status", status)
    tell("start", first)
    tell("end", end)
    tell("duration_seconds", seconds(first, end))
    tell_change(end)
    tell("affected_requests", len(hit))
    tell("total_requests", len(inside))
    tell("impact_percent", percent(len(hit), len(inside)))
    tell("impact_percent_all_requests", percent(sum(has_failed(r) for r in everything), len(everything)))
    tell("affected_clients", len({r.client for r in hit}))
    tell("total_clients", len({r.client for r in inside}))
    tell("baseline_percent", percent(len(failed) - len(hit), len(users) - len(inside)), "failed user requests outside of it")
    if min(r.when for r in hit if r.status == status and in_scope(r)) > first:
        tell("start_of_dominant_status", min(r.when for r in hit if r.status == status and in_scope(r)))
    if hit[0].took is not None:
        arrivals = [r.when - timedelta(seconds=r.took) for r in hit if in_scope(r)]
        tell("first_arrival", min(arrivals).replace(microsecond=0), "when the first of them arrived: time less latency, rounded down")
        tell("latency_p50_seconds", float(median(r.took for r in hit if r.status == status)), "of the answers with the dominant status")
    out.append("\n[incident.statuses]")
    for code, n in sorted(Counter(r.status for r in hit).items()):
        tell(str(code), n)
    tell_scope(inside, first, end)
    if len(hosts) > 1:
        for h in hosts:
            here = [r for r in inside if r.source == h]
            out.append("\n[[incident.sources]]")
            tell("source", h)
            tell("start", stretches[h][0])
            tell("end", stretches[h][1] + timedelta(seconds=1))
            tell("affected_requests", sum(has_failed(r) for r in here))
            tell("total_requests", len(here))
    for label, some in (("last failure before", [r for r in failed if r.when < first][-3:]), ("first failure after", [r for r in failed if r.when >= end][:3])):
        for r in some:
            print("%s: %s %s %s %d" % (label, r.when.isoformat(), r.source, r.request, r.status), file=sys.stderr)


def tell_scope(inside, first, end):
    if "scope" not in played:
        return
    hit_all = sum(has_failed(r) for r in inside)
    for dimension, value in [(p[0], v) for p in (played["scope"], played.get("also")) if p for v in p[1]]:
        here = [r for r in inside if getattr(r, dimension) == value]
        before = [r for r in users if getattr(r, dimension) == value and not first <= r.when < end]
        hit = sum(has_failed(r) for r in here)
        out.append("\n[[incident.scope]]")
        tell("dimension", dimension)
        tell("value", value)
        tell("affected_requests", hit)
        tell("total_requests", len(here))
        tell("affected_percent", percent(hit, len(here)))
        tell("affected_share", hit / hit_all, "of all affected requests")
        tell("baseline_percent", percent(sum(has_failed(r) for r in before), len(before)))
    rest = [r for r in inside if not in_scope(r)]
    out.append("\n[incident.elsewhere]")
    tell("affected_requests", sum(has_failed(r) for r in rest))
    tell("total_requests", len(rest))


def tell_silence():
    silent = played["silent"]
    there = [r.when for r in rows if r.source == silent]
    gap, start, end = max((b - a, a + timedelta(seconds=1), b) for a, b in zip(there, there[1:]))
    inside = [r for r in users if start <= r.when < end]
    margin = timedelta(seconds=MARGIN)
    outside = [r for r in users if r.when < start - margin or r.when >= end + margin]
    peers = [r for r in inside if r.source != silent]
    usual = [r for r in outside if r.source != silent]
    usual_seconds = seconds(rows[0].when, rows[-1].when) + 1 - seconds(start, end) - 2 * MARGIN

    classes = []
    for by_application in (True, False):
        during = [r.took for r in peers if r.by_application == by_application and r.status < 500]
        before = [r.took for r in usual if r.by_application == by_application and r.status < 500]
        ratio = median(during) / median(before) if median(before) > 0 else 1.0
        classes.append((by_application, ratio, during, before))
    slow = [c for c in classes if c[1] >= 1.5]
    slowed = sum(len(c[2]) for c in slow)
    answered = sum(len(c[2]) for c in classes)
    change = played["change"]
    log_times = [(h, t) for h, t in times_in_log(*change) if h == silent and t <= start]

    out.append("\n[[incident]]")
    tell("signal", "traffic")
    tell("signals", ["traffic", "latency"])
    tell("start", start)
    tell("end", end)
    tell("duration_seconds", seconds(start, end))
    when = max(t for _, t in log_times)
    tell("change", when, "%s/var/log/%s: %s" % (silent, *change))
    tell("change_to_recovery_seconds", seconds(when, end))
    tell("affected_requests", slowed, "slowed user requests")
    tell("total_requests", len(inside))
    tell("impact_percent", percent(slowed, len(inside)), "slowed")
    tell("impact_percent_all_requests", percent(slowed, sum(start <= r.when < end for r in rows)))
    tell("failed_requests", sum(r.status >= 500 for r in inside))
    slow_clients = {r.client for r in peers if any(r.by_application == c[0] for c in slow)}
    tell("affected_clients", len(slow_clients))
    tell("total_clients", len({r.client for r in inside}))
    out.append("\n[incident.statuses]")

    out.append("\n[incident.silent]")
    share = sum(r.source == silent for r in outside) / len(outside)
    tell("source", silent)
    tell("requests", sum(r.source == silent and start <= r.when < end for r in rows))
    tell("usual_share", share, "of the user requests before and after")
    tell("expected_requests", round(share * len(inside)), "that share of the user requests of both")
    tell("usual_requests_per_minute", 60 * (len(outside) - len(usual)) / usual_seconds)

    out.append("\n[incident.latency]")
    tell("share", slowed / answered, "of the user requests that the other server answered")
    tell("factor", float(median(c[1] for c in slow)), "ratio of the medians of the slowed class")
    for key, q in (("p50", 0.5), ("p95", 0.95)):
        for label, some in (("before", usual), ("during", peers)):
            took = sorted(r.took for r in some if r.status < 500)
            tell("%s_%s_seconds" % (key, label), float(took[int(q * (len(took) - 1))]))
    for by_application, ratio, during, before in classes:
        out.append("\n[[incident.latency.class]]")
        tell("answered_by", "application" if by_application else "edge")
        tell("requests", len(during))
        tell("median_before_seconds", float(median(before)))
        tell("median_during_seconds", float(median(during)))
        tell("slowed", ratio >= 1.5)

    out.append("\n[[incident.sources]]")
    tell("source", peers[0].source)
    tell("requests_per_minute_before", 60 * len(usual) / usual_seconds)
    tell("requests_per_minute_during", 60 * len(peers) / seconds(start, end))
    tell("load_factor", len(peers) / seconds(start, end) / (len(usual) / usual_seconds))


def tell_noise():
    failed = [r for r in users if has_failed(r)]
    out.append("\n[noise_counts]")
    tell("failed_percent", percent(len(failed), len(users)))
    broken = [r for r in users if r.path == "/orders/export"]
    tell("broken_endpoint", "/orders/export")
    tell("broken_endpoint_requests", len(broken))
    tell("broken_endpoint_failed", sum(has_failed(r) for r in broken))
    for r in (r for r in failed if r.path != "/orders/export"):
        print("other failure: %s %s %d" % (r.when.isoformat(), r.request, r.status), file=sys.stderr)
    other = [r for r in failed if r.path != "/orders/export"]
    tell("other_failed", len(other), "all of them in the blip below")
    tell("blip_start", other[0].when)
    tell("blip_end", other[-1].when + timedelta(seconds=1))
    per_minute = Counter(r.when.replace(second=0) for r in users)
    minutes = seconds(rows[0].when, rows[-1].when) // 60
    tell("requests_per_minute_median", sorted([0] * (minutes - len(per_minute)) + list(per_minute.values()))[minutes // 2])
    tell("requests_per_minute_max", max(per_minute.values()))
    gaps = [(seconds(a.when, b.when), a.when) for a, b in zip(users, users[1:])]
    tell("longest_gap_between_user_requests_seconds", max(gaps)[0])


head()
if played.get("noise"):
    tell_noise()
elif "silent" in played:
    tell_silence()
else:
    tell_errors()
text = "\n".join(out) + "\n"
with open(directory + "/truth.toml", "w") as f:
    f.write(text)
print(text)
