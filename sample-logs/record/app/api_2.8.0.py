"""The shop's programming interface: prices and carts for the phone application."""
import logging
import logging.handlers
import os
import random
import select

from flask import Flask, jsonify, request

VERSION = "?"
log_file = os.environ.get("SHOP_LOG", "/var/log/app/api.log")
handler = logging.handlers.WatchedFileHandler(log_file)
handler.setFormatter(logging.Formatter(
    "%(asctime)s %(levelname)s [%(process)d] %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
logging.getLogger().addHandler(handler)
logging.getLogger().setLevel(logging.INFO)
log = logging.getLogger("api")

app = Flask("api", static_folder=None)


@app.get("/v2/prices")
def prices():
    select.select([], [], [], random.uniform(0.01, 0.06))
    return jsonify(prices=[random.randint(100, 9900) for _ in range(random.randint(10, 60))])


@app.route("/v2/cart", methods=["GET", "POST"])
def cart():
    select.select([], [], [], random.uniform(0.01, 0.06))
    if request.method == "POST":
        left = random.randint(0, 40)
        if left < 2:
            log.warning("low stock: item=%s left=%d", request.form.get("item"), left)
        return jsonify(ok=True, left=left), 201
    return jsonify(items=random.randint(0, 5))


@app.get("/v2/orders/<int:order>")
def order_state(order):
    select.select([], [], [], random.uniform(0.02, 0.1))
    return jsonify(order=order, state=random.choice(["packed", "sent", "delivered"]))


log.info("application ready: version %s", VERSION)
