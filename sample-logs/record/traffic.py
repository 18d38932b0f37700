"""Clients of a recorded site: users, bots, probes, one scanner and a few broken clients.

usage: traffic.py SCENARIO END        (END is "YYYY-MM-DD HH:MM:SS", local time)

It only makes requests, from many source addresses of the loopback network; every log line is written
by the servers that answer.  Bounded by END and by MAX_REQUESTS.
"""
import heapq
import http.client
import itertools
import math
import os
import queue
import random
import select
import socket
import sys
import threading
import time

MAX_REQUESTS = 80_000
scenario, end_text = sys.argv[1], sys.argv[2]
END = time.mktime(time.strptime(end_text, "%Y-%m-%d %H:%M:%S"))
day = end_text.split()[0]


def clock(text):
    return time.mktime(time.strptime("%s %s" % (day, text), "%Y-%m-%d %H:%M:%S"))


SCENARIOS = {
    "bad-gateway": dict(server="102.89.44.10", seed=514, sessions=0.105, pollers=14, scan="11:08:20",
                        broken=0.0012, host="shop.example", head_probe=False),
    "web-01": dict(server="102.67.16.5", seed=512, sessions=0.100, pollers=11, scan="11:17:40",
                   broken=0.0009, host="www.shop.example", head_probe=True),
}
S = SCENARIOS[scenario]
rnd = random.Random(S["seed"])

BROWSERS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/113.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0 Safari/537.36 Edg/112.0.1722.64",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:109.0) Gecko/20100101 Firefox/113.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/112.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.4 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 16_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.4 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 13; SM-A536B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/113.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 11; TECNO KG5) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/111.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 10; Infinix X680) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0 Mobile Safari/537.36",
    "Opera/9.80 (Android; Opera Mini/66.2.2254/191.303; U; en) Presto/2.12.423 Version/12.16",
]
APPS = ["ShopApp/4.2.1 (Android 13; SM-A145F)", "ShopApp/4.2.0 (Android 11; itel A571L)", "ShopApp/4.1.7 (iOS 16.4.1; iPhone12,1)"]
BOTS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
]
REFERERS = ["-", "-", "https://www.google.com/", "https://www.bing.com/", "https://l.facebook.com/", "https://t.co/k3Xw0Qb1"]
WORDS = ["lamp", "kettle", "phone+case", "rice+cooker", "fan", "sandals", "school+bag", "inverter", "charger"]
if day > "2024":            # a year later, newer browsers
    for old, new in (("Chrome/113", "Chrome/124"), ("Chrome/112", "Chrome/123"), ("Chrome/111", "Chrome/122"),
                     ("Edg/112.0.1722.64", "Edg/123.0.2420.97"), ("rv:109.0", "rv:125.0"), ("Firefox/113.0", "Firefox/125.0"),
                     ("Firefox/112.0", "Firefox/124.0"), ("Version/16.4", "Version/17.4"), ("OS 16_4_1", "OS 17_4_1")):
        BROWSERS = [b.replace(old, new) for b in BROWSERS]


def address():
    net = rnd.choices(["102.%d", "105.%d", "197.%d", "41.%d"], [5, 3, 2, 1])[0] % rnd.randint(64, 223)
    return "%s.%d.%d" % (net, rnd.randint(0, 255), rnd.randint(2, 253))


PEOPLE = [(address(), rnd.choice(BROWSERS)) for _ in range(900)]
POLLERS = [(address(), rnd.choice(APPS)) for _ in range(S["pollers"] * 6)]
CRAWLERS = [("66.249.%d.%d" % (rnd.randint(64, 79), rnd.randint(2, 250)) if "Googlebot" in b else address(), b)
            for b in BOTS for _ in range(2)]
SCANNER = address()
PROBES = {"elb": ("10.0.3.41", "ELB-HealthChecker/2.0"), "elb2": ("10.0.4.17", "ELB-HealthChecker/2.0"),
          "kube": ("10.0.1.1", "kube-probe/1.26"),
          "robot": ("10.0.9.12", "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)")}

work = queue.SimpleQueue()
events, order, lock = [], itertools.count(), threading.Lock()
made = 0


def later(delay, act, *args):
    with lock:
        heapq.heappush(events, (time.time() + delay, next(order), act, args))


def wait(seconds):
    if seconds > 0:
        select.select([], [], [], seconds)


def ask(who, path, method="GET", referer="-", body=None, then=None, extra=None):
    """Queue one request; `then(status)` runs when it is answered."""
    global made
    made += 1
    if made <= MAX_REQUESTS:
        work.put((who, path, method, referer, body, then, extra))


def worker():
    while True:
        (ip, agent), path, method, referer, body, then, extra = work.get()
        status = 0
        try:
            c = http.client.HTTPConnection(S["server"], 80, timeout=90, source_address=(ip, 0))
            head = {"Host": S["host"], "User-Agent": agent, "Connection": "close", "Accept": "*/*"}
            if referer != "-":
                head["Referer"] = referer
            if body is not None:
                head["Content-Type"] = "application/x-www-form-urlencoded"
            head.update(extra or {})
            c.request(method, path, body, head)
            r = c.getresponse()
            r.read()
            status = r.status
            c.close()
        except (OSError, http.client.HTTPException) as e:
            print("%s %s %s: %s" % (time.strftime("%H:%M:%S"), method, path, e), file=sys.stderr)
        if then:
            then(status)


# ------------------------------------------------------------------ users
def rate(now):
    t = time.localtime(now)
    hour = t.tm_hour + t.tm_min / 60
    return 0.85 + 0.3 * math.sin((hour - 8) / 12 * math.pi)


def new_session():
    later(rnd.expovariate(S["sessions"] * rate(time.time())), new_session)
    visit(rnd.choice(PEOPLE), rnd.choice(REFERERS), rnd.choices([1, 2, 4, 7, 12], [3, 3, 4, 3, 1])[0], True, 0)


def site(path):
    return "http://%s%s" % (S["host"], path)


def visit(who, referer, left, fresh, failures, path=None):
    if left <= 0:
        return
    kind = rnd.random()
    method, body = "GET", None
    if path is None:
        if fresh and kind < 0.5:
            path = "/"
        elif kind < 0.62:
            path = "/products/%d" % (rnd.randint(1, 400) if rnd.random() > 0.012 else rnd.randint(401, 600))
        elif kind < 0.72:
            path = "/products?page=%d" % rnd.randint(1, 9)
        elif kind < 0.79:
            path = "/search?q=" + rnd.choice(WORDS)
        elif kind < 0.86:
            path = "/orders/%d" % rnd.randint(8000, 9999)
        elif kind < 0.92:
            method, path, body = "POST", "/api/cart", "item=%d&count=1" % rnd.randint(1, 400)
        elif kind < 0.95:
            method, path, body = "POST", "/login", "user=u%d&password=x" % rnd.randint(100, 999)
        elif kind < 0.97:
            method, path, body = "POST", "/checkout", "cart=%d" % rnd.randint(1, 9999)
        else:
            path = "/"

    def then(status):
        if status >= 500 or status == 0:
            if failures < 6 and rnd.random() < 0.82:         # reload, a little later each time
                later(rnd.expovariate(1 / (6.0 + 7 * failures)), visit, who, referer, left, fresh, failures + 1,
                      path if method == "GET" else None)
            return
        here = site(path)
        if fresh and status == 200 and rnd.random() < 0.7:
            for name in rnd.sample(["app.css", "app.js", "logo.svg", "font.woff2"], rnd.randint(1, 4)):
                later(rnd.uniform(0.1, 1.2), ask, who, "/static/" + name, "GET", here, None, None,
                      {"If-None-Match": '"1"'} if rnd.random() < 0.3 else None)
            if rnd.random() < 0.3:
                later(1.5, ask, who, "/favicon.ico", "GET", here)
        if rnd.random() < 0.25:
            later(rnd.uniform(0.3, 2), ask, who, "/api/cart", "GET", here)
        later(2 + rnd.expovariate(1 / 22.0), visit, who, here, left - 1, False, 0)
    ask(who, path, method, referer, body, then)


def poller(slot):
    """A phone that keeps the app open for a while and asks for prices."""
    who = rnd.choice(POLLERS)

    def again(left):
        if left == 0:
            later(rnd.uniform(1, 60), poller, slot)
            return
        ask(who, rnd.choice(["/api/prices", "/api/prices", "/api/cart"]))
        later(rnd.uniform(16, 26), again, left - 1)
    again(rnd.randint(5, 40))


def crawler():
    who = rnd.choice(CRAWLERS)
    later(rnd.expovariate(1 / 24.0), crawler)
    ask(who, rnd.choice(["/products/%d" % rnd.randint(1, 400), "/products?page=%d" % rnd.randint(1, 20), "/"]))


def robots():
    later(rnd.expovariate(1 / 260.0), robots)
    ask(rnd.choice(CRAWLERS), "/robots.txt")


# ------------------------------------------------------------------ probes
def probe(name, every, path, method="GET"):
    later(every, probe, name, every, path, method)
    ask(PROBES[name], path, method)


# ------------------------------------------------------------------ a scanner and broken clients
def scan():
    paths = ["/wp-login.php", "/.env", "/admin/", "/phpmyadmin/", "/.git/config", "/xmlrpc.php", "/backup.zip",
             "/wp-content/plugins/", "/config.php", "/server-status", "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
             "/actuator/env", "/old/", "/test.php", "/shell.php", "/administrator/", "/solr/admin/", "/.aws/credentials"]
    at = 0.0
    for n in range(160):
        path = rnd.choice(paths) + ("" if n < 20 else "?%d" % n)
        later(at, ask, (SCANNER, "Mozilla/5.0 zgrab/0.x"), path)
        at += rnd.uniform(0.2, 1.1)


def broken():
    """Bytes that are no HTTP request, most of them a TLS hello on port 80."""
    later(rnd.expovariate(S["broken"]), broken)
    hello = bytes.fromhex("16030100ee010000ea0303") + rnd.randbytes(32) + b"\x20" + rnd.randbytes(20)
    raw = rnd.choice([hello, hello, hello, b"\x03\x00\x00/*\xe0\x00\x00\x00\x00\x00Cookie: mstshash=Administr\r\n\r\n",
                      b"*1\r\n$4\r\nPING\r\n", b"SSH-2.0-Go\r\n"])

    def send(ip):
        try:
            with socket.create_connection((S["server"], 80), 60, (ip, 0)) as c:
                c.sendall(raw)
                c.recv(2000)
        except OSError:
            pass
    threading.Thread(target=send, args=(address(),), daemon=True).start()


for _ in range(24):
    threading.Thread(target=worker, daemon=True).start()
later(0, new_session)
for n in range(S["pollers"]):
    later(rnd.uniform(0, 40), poller, n)
later(3, crawler)
later(60, robots)
later(300, broken)
later(1, probe, "elb", 10, "/healthz")
later(6, probe, "elb2", 10, "/healthz")
later(4, probe, "kube", 30, "/healthz")
if S["head_probe"]:
    later(90, probe, "robot", 300, "/", "HEAD")
else:
    later(90, probe, "robot", 300, "/healthz", "HEAD")
if clock(S["scan"]) > time.time():
    later(clock(S["scan"]) - time.time(), scan)

while True:
    now = time.time()
    if now >= END or made > MAX_REQUESTS:
        break
    due = []
    with lock:
        while events and events[0][0] <= now:
            due.append(heapq.heappop(events))
        nxt = events[0][0] if events else now + 1
    for _, _, act, args in due:
        act(*args)
    if not due:
        wait(min(max(nxt - now, 0.02), 0.5))
wait(3)
print("%d requests made" % made, file=sys.stderr)
sys.stderr.flush()
os._exit(0)                 # the workers may still wait for an answer
