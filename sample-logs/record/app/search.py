"""The shop's search: looks words up in an index that other programs write."""
import logging
import logging.handlers
import os
import random
import select
import sqlite3
from contextlib import closing

from flask import Flask, jsonify, request

INDEX = "/var/lib/shop/shop.db"
handler = logging.handlers.WatchedFileHandler(os.environ.get("SHOP_LOG", "/var/log/app/search.log"))
handler.setFormatter(logging.Formatter(
    "%(asctime)s %(levelname)s [%(process)d] %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
logging.getLogger().addHandler(handler)
logging.getLogger().setLevel(logging.INFO)
log = logging.getLogger("search")
app = Flask("search", static_folder=None)


def look_up(word):
    with closing(sqlite3.connect(INDEX, timeout=600)) as db:      # waits while the index is written
        return [item for item, in db.execute("SELECT item FROM word WHERE word = ? LIMIT 24", (word,))]


@app.get("/search")
def search():
    found = look_up(request.args.get("q", "").split(" ")[0])
    select.select([], [], [], random.uniform(0.03, 0.3))
    if not found:
        log.info("nothing found: q=%s", request.args.get("q", ""))
    return "<!doctype html><title>Search</title>" + "<p>Item %d</p>" * len(found) % tuple(found)


@app.get("/suggest")
def suggest():
    found = look_up(request.args.get("q", ""))
    select.select([], [], [], random.uniform(0.01, 0.05))
    return jsonify(items=found[:5])


log.info("application ready: version %s", os.environ.get("SHOP_VERSION", "?"))
