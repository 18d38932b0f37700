"""The recorded application: a small shop, served by gunicorn."""
import logging
import logging.handlers
import os
import random
import select
import sqlite3
import threading
import time
from collections import deque

from flask import Flask, abort, jsonify, request

try:
    import shopsession
except ImportError:          # only web-01's shop has a session library
    shopsession = None
try:
    import shopdb
except ImportError:          # and only some have a database
    shopdb = None

DATABASE = "/var/lib/shop/shop.db"
CATALOGUE = "/run/shop/catalogue"
WARM_SECONDS = float(os.environ.get("SHOP_WARM_SECONDS", "0"))
# without the catalogue cache a new process first fills it
warm_until = 0 if os.path.exists(CATALOGUE) else time.time() + WARM_SECONDS


class Pool:
    """The few connections to a database that all pages share; who asks first is served first."""

    def __init__(self, size):
        self.free, self.queue, self.lock = size, deque(), threading.Lock()

    def query(self, seconds):
        turn = None
        with self.lock:
            if self.free:
                self.free -= 1
            else:
                turn = threading.Event()
                self.queue.append(turn)
        if turn:
            turn.wait()
        pause(seconds)
        with self.lock:
            if self.queue:
                self.queue.popleft().set()
            else:
                self.free += 1


POOL = Pool(int(os.environ["SHOP_POOL"])) if "SHOP_POOL" in os.environ else None


def pause(seconds):
    select.select([], [], [], seconds)


log_file = os.environ.get("SHOP_LOG", "/var/log/app/app.log")
handler = logging.handlers.WatchedFileHandler(log_file)
handler.setFormatter(logging.Formatter(
    "%(asctime)s %(levelname)s [%(process)d] %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
logging.getLogger().addHandler(handler)
logging.getLogger().setLevel(logging.INFO)
log = logging.getLogger("shop")

app = Flask("shop", static_folder=None)
SECRET = b"recorded-sample"


# how many queries a page makes, where that differs
QUERIES = {"home": (6, 7, 8), "products": (6, 8, 10), "search": (8, 10, 12), "checkout": (9, 11, 13), "prices": (3, 4)}


class StockTimeout(Exception):
    pass


def stock_level(item):
    if random.random() < float(os.environ.get("SHOP_LONE_ERRORS", "0.008")):
        raise StockTimeout("stock service gave no answer for item %s" % item)
    if POOL is None:
        pause(random.uniform(0.01, 0.08))
    return random.randint(0, 40)


@app.before_request
def open_session():
    if time.time() < warm_until:
        return page("Back in a minute"), 503, {"Retry-After": "60"}
    if shopdb is not None:
        request.environ["shop.settings"] = shopdb.settings(DATABASE)
    if POOL is not None and request.endpoint:
        for _ in range(random.choice(QUERIES.get(request.endpoint, (3, 4, 5)))):
            POOL.query(random.uniform(0.08, 0.20))
    if shopsession is not None:
        request.environ["shop.session"] = shopsession.load(request.cookies.get("sid", ""), SECRET)


@app.errorhandler(sqlite3.Error)
def database_failed(error):
    log.error("%s %s: %s: %s", request.method, request.path, type(error).__name__, error)
    return page("Something went wrong"), 500


def page(title, size=1):
    body = "<!doctype html><title>%s</title><h1>%s</h1>" % (title, title)
    return body + "<p>Lorem ipsum dolor sit amet.</p>" * (random.randint(20, 60) * size)


@app.get("/")
def home():
    stock_level("front")
    return page("Shop", 3)


@app.get("/products")
def products():
    stock_level("list")
    return page("Products", 4)


@app.get("/products/<int:item>")
def product(item):
    if item > 400:
        abort(404)
    stock_level(item)
    return page("Product %d" % item)


@app.get("/orders/<int:order>")
def order_page(order):
    POOL or pause(random.uniform(0.02, 0.2))
    stock_level(order)
    return page("Order %d" % order)


@app.get("/search")
def search():
    POOL or pause(random.uniform(0.05, 0.4))
    found = stock_level(request.args.get("q", ""))
    if found < 2:
        log.warning("search found nothing: q=%s", request.args.get("q", ""))
    return page("Search")


@app.route("/api/cart", methods=["GET", "POST"])
def cart():
    if request.method == "POST":
        left = stock_level(request.form.get("item", "0"))
        if left < 3:
            log.warning("low stock: item=%s left=%d", request.form.get("item"), left)
        return jsonify(ok=True, left=left), 201
    return jsonify(items=random.randint(0, 5))


@app.get("/api/prices")
def prices():
    return jsonify(prices=[random.randint(100, 9900) for _ in range(random.randint(10, 60))])


@app.post("/checkout")
def checkout():
    POOL or pause(random.uniform(0.1, 0.5))
    stock_level("checkout")
    number = random.randint(8000, 9999)
    log.info("order placed: order=%d items=%d", number, random.randint(1, 6))
    return "", 303, {"Location": "/orders/%d" % number}


@app.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "POST":
        if random.random() < 0.06:
            log.warning("login refused: user=%s", request.form.get("user"))
            return page("Log in"), 401
        log.info("login: user=%s", request.form.get("user"))
        return "", 302, {"Location": "/"}
    return page("Log in")


@app.get("/static/<path:name>")
def static_file(name):
    sizes = {"app.css": 18230, "app.js": 74112, "logo.svg": 2210, "font.woff2": 31044}
    if name not in sizes:
        abort(404)
    if request.headers.get("If-None-Match"):
        return "", 304
    return b"x" * sizes[name], 200, {"Content-Type": "text/plain", "ETag": '"1"'}


@app.get("/favicon.ico")
def favicon():
    return b"\0" * 1150, 200, {"Content-Type": "image/x-icon"}


log.info("application ready: version %s", os.environ.get("SHOP_VERSION", "?"))
