#!/usr/bin/env python3
"""Count the truth of one recorded sample from the finished access logs of its edge, and write truth.toml.

usage: count_truth.py SAMPLE_DIRECTORY

This script knows nothing of any other tool and reads nothing but the edge's access logs, all rotations.

Rules
* probe: path /healthz, or the agent of a health checker or monitor, or apache2's "internal dummy connection".
* no request: the quoted request is not "METHOD target HTTP/x.y".
* scanner: a client (address) with at least five 4xx answers and not one answer below 400.
* user request: every other request line.
* failed: a 5xx status.
* the incident: the dominant status is the 5xx that user requests got most often in the whole log; its first
  and last line are those of its one long stretch: hits of the dominant status that follow each other within
  QUIET seconds, with no more than FEW good answers of the application in between, form a stretch; the stretch
  with most hits counts.  Then the stretch grows over other 5xx
  answers (502 and 503 of a restart) that adjoin it: within ADJOIN seconds of its border and in a run that has
  no user request answered below 500 in between, so that a lone background 500 before or after is left out.
* start: the time in the line of the first affected user request; end: one second past that of the last.
"""
import glob
import gzip
import os
import re
import sys
from collections import Counter
from datetime import datetime, timedelta

QUIET, FEW, ADJOIN = 60, 3, 30
LINE = re.compile(r'^(\S+) \S+ \S+ \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}) (\S+) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$')
REQUEST = re.compile(r'^[A-Z]+ \S+ HTTP/\d\.\d$')
PROBE_AGENT = re.compile(r'ELB-HealthChecker|kube-probe|UptimeRobot|internal dummy connection')

directory = sys.argv[1].rstrip("/")
name = os.path.basename(os.path.abspath(directory))
edges = [e for e in ("var/log/nginx", "var/log/apache2") if any(os.path.getsize(f) for f in glob.glob("%s/%s/access.log*" % (directory, e)))]
assert len(edges) == 1, edges
pattern = edges[0] + "/access.log*"

rows, odd = [], 0
for path in sorted(glob.glob("%s/%s" % (directory, pattern))):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", errors="surrogateescape") as f:
        for line in f:
            m = LINE.match(line.rstrip("\n"))
            if not m:
                odd += 1
                print("not understood: %s: %r" % (path, line), file=sys.stderr)
                continue
            when = datetime.strptime(m[2], "%d/%b/%Y:%H:%M:%S %z")
            rows.append((when, m[1], m[3], int(m[4]), m[7]))
assert rows and odd == 0
rows.sort(key=lambda r: r[0])

good = Counter(r[1] for r in rows if r[3] < 400)
bad = Counter(r[1] for r in rows if 400 <= r[3] < 500)
scanners = {c for c, n in bad.items() if n >= 5 and not good[c]}


def is_probe(r):
    part = r[2].split(" ")
    return bool(PROBE_AGENT.search(r[4])) or (len(part) > 1 and part[1].split("?")[0] == "/healthz")


probes = [r for r in rows if is_probe(r)]
no_request = [r for r in rows if not REQUEST.match(r[2])]
users = [r for r in rows if not is_probe(r) and REQUEST.match(r[2]) and r[1] not in scanners]

failed = [r for r in users if r[3] >= 500]
status = Counter(r[3] for r in failed).most_common(1)[0][0]
EDGE_ITSELF = ("GET /robots.txt", "GET /static/")      # both edges or one of them answer these without the application
stretch, best, good_between = [], [], 0
for r in users:
    if r[3] < 500 and not r[2].startswith(EDGE_ITSELF):
        good_between += 1
    if r[3] == status:
        if stretch and ((r[0] - stretch[-1][0]).total_seconds() > QUIET or good_between > FEW):
            stretch = []
        good_between = 0
        stretch.append(r)
        if len(stretch) > len(best):
            best = stretch
first, last = best[0][0], best[-1][0]


# other 5xx that adjoin: walk outward, stop at the first user request that was answered below 500 and by the app
def grow(seq, border):
    for r in seq:
        gap = abs((r[0] - border).total_seconds())
        if gap > ADJOIN:
            break
        if r[3] >= 500:
            border = r[0]
        elif not r[2].startswith(EDGE_ITSELF):
            break
    return border


# several requests share a second: walk from the last line in that second, never from inside it
first = grow([r for r in reversed(users) if r[0] < first], first)
last = grow([r for r in users if r[0] > last], last)
end = last + timedelta(seconds=1)

inside = [r for r in users if first <= r[0] < end]
hit = [r for r in inside if r[3] >= 500]
everything = [r for r in rows if first <= r[0] < end]
hit_all = [r for r in everything if r[3] >= 500]
zone = rows[0][0].strftime("%z")
zone = zone[:3] + ":" + zone[3:]

out = """# Counted by record/count_truth.py from the finished access logs; not by hand.
name = "{name}"
timezone = "{zone}"
edge = ["{pattern}"]
first_line = "{first_line}"
last_line = "{last_line}"

[totals]
requests = {requests}            # every line at the edge, probes included
probe_requests = {probes}
scanner_requests = {scanner}
no_request_lines = {none}
user_requests = {users}
failed_requests = {failed}       # 5xx, probes included

[[incident]]
signal = "errors"
status = {status}
start = "{start}"
end = "{end}"
duration_seconds = {seconds}
affected_requests = {hit}
total_requests = {inside}
impact_percent = {impact:.2f}
impact_percent_all_requests = {impact_all:.2f}
affected_clients = {hit_clients}
total_clients = {clients}

[incident.statuses]
""".format(
    name=name, zone=zone, pattern=pattern, first_line=rows[0][0].isoformat(), last_line=rows[-1][0].isoformat(),
    requests=len(rows), probes=len(probes), scanner=sum(r[1] in scanners for r in rows), none=len(no_request),
    users=len(users), failed=sum(r[3] >= 500 for r in rows), status=status, start=first.isoformat(),
    end=end.isoformat(), seconds=int((end - first).total_seconds()), hit=len(hit), inside=len(inside),
    impact=100 * len(hit) / len(inside), impact_all=100 * len(hit_all) / len(everything),
    hit_clients=len({r[1] for r in hit}), clients=len({r[1] for r in inside}))
for code, n in sorted(Counter(r[3] for r in hit).items()):
    out += "%d = %d\n" % (code, n)
with open(directory + "/truth.toml", "w") as f:
    f.write(out)
print(out)
before = [r for r in failed if r[0] < first][-3:]
after = [r for r in failed if r[0] >= end][:3]
for label, some in (("last 5xx before", before), ("first 5xx after", after)):
    for r in some:
        print("%s: %s %s %d" % (label, r[0].isoformat(), r[2], r[3]), file=sys.stderr)
