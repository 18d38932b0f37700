"""Writes the search index anew; run by the operator.

usage: reindex.py SECONDS
"""
import select
import sqlite3
import sys
import syslog

syslog.openlog("reindex", syslog.LOG_PID, syslog.LOG_DAEMON)
db = sqlite3.connect("/var/lib/shop/shop.db", isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
syslog.syslog(syslog.LOG_INFO, "writing the index, %d words" % db.execute("SELECT count(*) FROM word").fetchone())
select.select([], [], [], float(sys.argv[1]))
db.execute("COMMIT")
syslog.syslog(syslog.LOG_INFO, "index written")
