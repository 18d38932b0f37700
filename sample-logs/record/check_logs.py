#!/usr/bin/env python3
"""Look over one recorded sample: no line of another clock, no path of the recording machine, and the
application's access log holds the same requests as the edge's.

usage: check_logs.py SAMPLE_DIRECTORY
"""
import glob
import gzip
import os
import re
import sys
from collections import Counter

directory = sys.argv[1].rstrip("/")
year = {"bad-gateway": "2023", "web-01": "2024"}[os.path.basename(os.path.abspath(directory))]


def lines(pattern):
    for path in sorted(glob.glob(directory + "/" + pattern, recursive=True)):
        if os.path.isfile(path):
            with (gzip.open if path.endswith(".gz") else open)(path, "rt", errors="surrogateescape") as f:
                for number, line in enumerate(f, 1):
                    yield path, number, line


wrong = 0
stamp = re.compile(r"\b(20\d\d)[-/]\d\d[-/]\d\d|/(20\d\d):\d\d:\d\d:|:\d\d\.\d+ (20\d\d)\]")
foreign = re.compile(r"/var/tmp/|/home/(?!deploy)|/root/|overlay")
for path, number, line in lines("var/log/**"):
    years = {y for m in stamp.finditer(line) for y in m.groups() if y}
    if years - {year} or foreign.search(line):
        wrong += 1
        print("%s:%d: %s" % (path, number, line.rstrip()[:160]))
print("%d lines of another clock or machine" % wrong)

# the same request in both logs: client, method and target, referer, agent, and the status the app gave
LINE = re.compile(r'^(\S+) \S+ \S+ \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}) (\S+) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$')


def key(m):
    return m[1], " ".join(m[3].split(" ")[:2]), m[4], m[6], m[7]


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
