"""The shop's database, 2.3.1."""
import sqlite3
from contextlib import closing

__version__ = "2.3.1"


def settings(path):
    with closing(sqlite3.connect("file:%s?mode=ro" % path, uri=True)) as db:
        return dict(db.execute("SELECT name, value FROM setting"))
