"""Makes the shop's database.

usage: make_db.py PATH
"""
import sqlite3
import sys

db = sqlite3.connect(sys.argv[1])
db.execute("CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT)")
db.executemany("INSERT INTO setting VALUES (?, ?)", [("currency", "EUR"), ("tax", "19"), ("page", "24")])
db.execute("CREATE TABLE word (word TEXT, item INTEGER)")
db.executemany("INSERT INTO word VALUES (?, ?)",
               [(w, n) for n in range(1, 400) for w in ("lamp", "kettle", "phone", "case", "fan", "charger")[n % 5:n % 5 + 2]])
db.commit()
db.close()
