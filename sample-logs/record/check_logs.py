#!/usr/bin/env python3
"""Look over one recorded sample: no line of another clock, no path of the recording machine, no sudden gap; and where the
application has an access log, it holds the same requests as the edge's.

usage: check_logs.py SAMPLE_DIRECTORY
"""
import glob
import gzip
import os
import re
import sys
from collections import Counter
from datetime import datetime

directory = sys.argv[1].rstrip("/")
name = os.path.basename(os.path.abspath(directory))
here = os.path.dirname(os.path.abspath(__file__))
with open("%s/%s/sample.conf" % (here, name)) as f:
    conf = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', f.read(), re.M))
first, last = (datetime.strptime(conf[k], "%Y-%m-%d %H:%M:%S") for k in ("first", "last"))
year = str(first.year)
hosts = conf["hosts"].split() if len(conf["hosts"].split()) > 1 else ["."]


def lines(pattern):
    for path in sorted(glob.glob(directory + "/" + pattern, recursive=True)):
        if os.path.isfile(path):
            with (gzip.open if path.endswith(".gz") else open)(path, "rt", errors="surrogateescape") as f:
                for number, line in enumerate(f, 1):
                    yield path, number, line


wrong = 0
stamp = re.compile(r"\b(20\d\d)[-/]\d\d[-/]\d\d|/(20\d\d):\d\d:\d\d:|:\d\d\.\d+ (20\d\d)\]")
foreign = re.compile(r"/var/tmp/|/home/(?!deploy)|/root/|overlay")
for path, number, line in lines("**/var/log/**"):
    years = {y for m in stamp.finditer(line) for y in m.groups() if y}
    if years - {year} or foreign.search(line):
        wrong += 1
        print("%s:%d: %s" % (path, number, line.rstrip()[:160]))
print("%d lines of another clock or machine" % wrong)

# edge lines outside of the recorded time, the longest gaps, and how far lines are out of order
WHEN = re.compile(r'\[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d) |^\{"time":"([^"+-]+-[^"+-]+-[^"+-]+)[+-]')
for host in hosts:
    whens, late, previous = [], 0, None
    for pattern in ("nginx/access.log*", "apache2/*access.log*"):
        previous_path = None
        for path, number, line in lines("%s/var/log/%s" % (host, pattern)):
            m = WHEN.search(line)
            when = datetime.strptime(m[1], "%d/%b/%Y:%H:%M:%S") if m[1] else datetime.fromisoformat(m[2])
            if path == previous_path and when < previous:
                late = max(late, (previous - when).seconds)
            previous, previous_path = when, path
            whens.append(when)
    whens.sort()
    gaps = sorted(((b - a).seconds, str(a)) for a, b in zip(whens, whens[1:]))[-3:]
    print("%s: %d lines, %d outside of the recorded time, at most %d s out of order, longest gaps %s"
          % (host, len(whens), sum(not first <= w <= last for w in whens), late, gaps))

# the same request in both logs: client, method and target, referer, agent, and the status the app gave
LINE = re.compile(r'^(\S+) \S+ \S+ \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}) (\S+) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$')


def key(m):
    return m[1], " ".join(m[3].split(" ")[:2]), m[4], m[6], m[7]


if not glob.glob(directory + "/var/log/app/gunicorn-access.log*"):
    sys.exit()
edge, app = Counter(), Counter()
for path, number, line in lines("var/log/nginx/access.log*"):
    edge[key(LINE.match(line.rstrip("\n")))] += 1
for path, number, line in lines("var/log/apache2/access.log*"):
    edge[key(LINE.match(line.rstrip("\n")))] += 1
for path, number, line in lines("var/log/app/gunicorn-access.log*"):
    m = LINE.match(line.rstrip("\n"))
    if not m:
        print("not understood: %s:%d: %s" % (path, number, line.rstrip()))
        continue
    app[key(m)] += 1
only_app = app - edge
only_edge = Counter()
for k, n in (edge - app).items():
    target = k[1].split(" ")[1] if " " in k[1] else k[1]
    kind = "status " + k[2]
    if target.split("?")[0] in ("/healthz", "/robots.txt"):
        kind += " " + target
    elif target.startswith("/static/"):
        kind += " /static"
    only_edge[kind] += n
print("edge %d lines, application %d, in both %d" % (sum(edge.values()), sum(app.values()), sum((edge & app).values())))
print("only in the application's log:", sum(only_app.values()), list(only_app.items())[:5])
print("only at the edge:", dict(only_edge.most_common()))
