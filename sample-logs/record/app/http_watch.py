"""Monitoring agent: reads the access log and writes an alert to syslog.

usage: http_watch.py ACCESS_LOG WINDOW_SECONDS WINDOWS_IN_A_ROW [silence]

It alerts when most requests fail or, with "silence", when none come.
"""
import os
import re
import select
import sys
import syslog
import time

path, window, in_a_row = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
silence = sys.argv[4:] == ["silence"]
STATUS = re.compile(r'" (\d{3}) (?:\d+|-) ')
syslog.openlog("http-watch", syslog.LOG_PID, syslog.LOG_DAEMON)
syslog.syslog(syslog.LOG_INFO, "watching %s, alert after %d x %d s %s"
              % (path, in_a_row, window, "without a request" if silence else "above 50% 5xx"))
f = open(path, errors="replace")
f.seek(0, os.SEEK_END)
bad, alerting = 0, False
due = (int(time.time()) // window + 1) * window
while True:
    while time.time() < due:
        select.select([], [], [], max(0.05, due - time.time()))
    due += window
    lines = f.readlines()
    try:
        if os.stat(path).st_ino != os.fstat(f.fileno()).st_ino:
            f = open(path, errors="replace")
            lines += f.readlines()
    except FileNotFoundError:
        pass
    codes = [m.group(1) for m in map(STATUS.search, lines) if m]
    failed = sum(c[0] == "5" for c in codes)
    share = 100.0 * failed / len(codes) if codes else 0.0
    if silence:
        bad = 0 if codes else bad + 1
        if bad == in_a_row:
            alerting = True
            syslog.syslog(syslog.LOG_ALERT, "ALERT http-traffic: no request in the last %d s" % (in_a_row * window))
        elif codes and alerting:
            alerting = False
            syslog.syslog(syslog.LOG_NOTICE, "OK http-traffic: %d requests in the last %d s" % (len(codes), window))
    elif share > 50:
        bad += 1
        if bad == in_a_row:
            alerting = True
            syslog.syslog(syslog.LOG_ALERT, "ALERT http-5xx: %.1f%% of %d requests failed in the last %d s"
                          % (share, len(codes), window))
    elif codes:
        if alerting:
            syslog.syslog(syslog.LOG_NOTICE, "OK http-5xx: %.1f%% of %d requests failed in the last %d s"
                          % (share, len(codes), window))
        bad, alerting = 0, False
