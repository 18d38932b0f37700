"""Clients of a recorded site: users, bots, probes, one scanner and a few broken clients.

usage: traffic.py SCENARIO END        (END is "YYYY-MM-DD HH:MM:SS", local time; SERVERS is "NAME=ADDRESS ...")

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
day = os.environ["FIRST"].split()[0]


def clock(text):
    return time.mktime(time.strptime("%s %s" % (day, text), "%Y-%m-%d %H:%M:%S"))


AFRICA = (["102.%d", "105.%d", "197.%d", "41.%d"], [5, 3, 2, 1])
EUROPE = (["84.%d", "91.%d", "188.%d", "46.%d"], [5, 3, 2, 2])
# sessions: new ones per second at an ordinary hour; files: share of them that fetch style sheets and images; pollers: phones at a time; elb: seconds between health checks;
# scan: when the scanner comes; broken: clients per second that send no HTTP
SCENARIOS = {
    "bad-gateway": dict(seed=514, sessions=0.105, pollers=14, scan="11:08:20", broken=0.0012, host="shop.example"),
    "web-01": dict(seed=512, sessions=0.100, pollers=11, scan="11:17:40", broken=0.0009, host="www.shop.example",
                   head_probe=True),
    "upgrade-500": dict(seed=420, nets=EUROPE, sessions=0.044, pollers=6, elb=30, scan="13:48:10", broken=0.0006,
                        host="shop.example"),
    "one-of-two": dict(seed=411, sessions=0.160, pollers=2, files=0.9, elb=30, scan="09:52:30", broken=0.0006, host="shop.example"),
    "full-outage": dict(seed=601, nets=EUROPE, sessions=0.075, pollers=7, elb=30, scan="09:22:15", broken=0.0008,
                        host="www.shop.example", head_probe=True),
    "one-vhost": dict(seed=917, nets=(["177.%d", "189.%d"], [3, 2]), sessions=0.070, pollers=5, elb=30, scan="15:51:05",
                      broken=0.0006, host="shop.example", api="api.shop.example", blog="blog.shop.example"),
    "json-504": dict(seed=212, nets=(["49.%d", "106.%d", "117.%d"], [2, 1, 1]), sessions=0.062, pollers=3, elb=30,
                     scan="12:21:30", broken=0.0005, host="shop.example", search=True, impatient=0.2),
    "quiet-day": dict(seed=305, nets=EUROPE, sessions=0.062, pollers=3, elb=60, scan="07:18:20", broken=0.0004,
                      host="shop.example", day=(4.0, 3.2), surge=("08:31:00", "08:52:00", 6), export=1 / 480),
    "midnight-rotation": dict(seed=115, nets=(["73.%d", "98.%d"], [1, 1]), sessions=0.070, pollers=6, elb=30,
                              scan="23:05:40", broken=0.0006, host="shop.example", day=(4.0, 4.5)),
}
S = dict(nets=AFRICA, elb=10, files=0.7, head_probe=False, api=None, blog=None, search=False, impatient=0, day=None, surge=None, export=0)
S.update(SCENARIOS[scenario])
SERVERS = [pair.split("=")[1] for pair in os.environ["SERVERS"].split()]
down = {}                    # server that refused -> when it is tried again
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
if day > "2024":            # newer browsers
    for old, new in (("Chrome/113", "Chrome/124"), ("Chrome/112", "Chrome/123"), ("Chrome/111", "Chrome/122"),
                     ("Edg/112.0.1722.64", "Edg/123.0.2420.97"), ("rv:109.0", "rv:125.0"), ("Firefox/113.0", "Firefox/125.0"),
                     ("Firefox/112.0", "Firefox/124.0"), ("Version/16.4", "Version/17.4"), ("OS 16_4_1", "OS 17_4_1")):
        BROWSERS = [b.replace(old, new) for b in BROWSERS]


def address():
    net = rnd.choices(*S["nets"])[0] % rnd.randint(64, 223)
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


def ask(who, path, method="GET", referer="-", body=None, then=None, extra=None, host=None, server=None):
    """Queue one request; `then(status)` runs when it is answered."""
    global made
    made += 1
    if made <= MAX_REQUESTS:
        work.put((who, path, method, referer, body, then, extra, host or S["host"], server))


def connect(ip, server, patience):
    """One connection, to `server` or, as a balancer on the way would do it, to any server that does not refuse."""
    now = time.time()
    for at in [server] if server else sorted(SERVERS, key=lambda s: (down.get(s, 0) > now, random.random())):
        c = http.client.HTTPConnection(at, 80, timeout=patience, source_address=(ip, 0))
        try:
            c.connect()
            return c
        except ConnectionRefusedError:
            down[at] = now + 10
    raise ConnectionRefusedError("no server")


def worker():
    while True:
        (ip, agent), path, method, referer, body, then, extra, host, server = work.get()
        status, c = 0, None
        try:
            patience = 90
            if S["impatient"] and "Mozilla" in agent and random.random() < S["impatient"]:
                patience = random.uniform(9, 25)
            c = connect(ip, server, patience)
            head = {"Host": host, "User-Agent": agent, "Connection": "close", "Accept": "*/*"}
            if referer != "-":
                head["Referer"] = referer
            if body is not None:
                head["Content-Type"] = "application/x-www-form-urlencoded"
            head.update(extra or {})
            c.request(method, path, body, head)
            r = c.getresponse()
            r.read()
            status = r.status
        except (OSError, http.client.HTTPException) as e:
            print("%s %s %s: %s" % (time.strftime("%H:%M:%S"), method, path, e), file=sys.stderr)
        finally:
            if c:
                c.close()
        if then:
            then(status)


# ------------------------------------------------------------------ users
def rate(now):
    t = time.localtime(now)
    hour = t.tm_hour + t.tm_min / 60
    if S["surge"] and clock(S["surge"][0]) < now < clock(S["surge"][1]):
        return S["surge"][2]
    if S["day"]:             # a quiet night with its middle at that hour, and how fast it becomes day
        middle, width = S["day"]
        away = abs(hour - middle)
        return max(0.06, 1 - math.exp(-(min(away, 24 - away) / width) ** 2))
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
        elif S["search"] and kind > 0.7:     # a shop where people search
            path = "/search?q=" + rnd.choice(WORDS)
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
        if S["search"] and rnd.random() < 0.3:
            later(rnd.uniform(0.5, 3), ask, who, "/suggest?q=" + rnd.choice(["lamp", "fan", "case", "kettle"]), "GET", here)
        if fresh and status == 200 and rnd.random() < S["files"]:
            for name in rnd.sample(["app.css", "app.js", "logo.svg", "font.woff2"], rnd.randint(1 + (S["files"] > 0.8), 4)):
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
        if S["api"]:
            path = rnd.choice(["/v2/prices", "/v2/prices", "/v2/cart", "/v2/orders/%d" % rnd.randint(8000, 9999)])
        else:
            path = rnd.choice(["/api/prices", "/api/prices", "/api/cart"])
        ask(who, path, host=S["api"])
        later(rnd.uniform(16, 26), again, left - 1)
    again(rnd.randint(5, 40))


def reader():
    """Somebody reads the blog: a vhost of its own."""
    later(rnd.expovariate(0.055 * rate(time.time())), reader)
    who, page = rnd.choice(PEOPLE), "/2024/%02d/%s/" % (rnd.randint(1, 9), rnd.choice(["sale", "fair", "new-lamps", "about-rice"]))
    ask(who, page, "GET", rnd.choice(REFERERS), host=S["blog"])
    for name in rnd.sample(["style.css", "header.jpg", "feed.xml", "print.css"], rnd.randint(0, 3)):
        later(rnd.uniform(0.1, 1.2), ask, who, "/assets/" + name, "GET", "http://%s%s" % (S["blog"], page), None, None, None, S["blog"])


def export():
    """One endpoint that has never worked, and people who try it now and then."""
    later(rnd.expovariate(S["export"] * (0.3 + rate(time.time()))), export)
    ask(rnd.choice(PEOPLE), "/orders/export", "GET", site("/orders/%d" % rnd.randint(8000, 9999)))


def crawler():
    who = rnd.choice(CRAWLERS)
    later(rnd.expovariate(1 / 24.0), crawler)
    ask(who, rnd.choice(["/products/%d" % rnd.randint(1, 400), "/products?page=%d" % rnd.randint(1, 20), "/"]))


def robots():
    later(rnd.expovariate(1 / 260.0), robots)
    ask(rnd.choice(CRAWLERS), "/robots.txt")


# ------------------------------------------------------------------ probes
def probe(name, every, path, method="GET", server=None):
    later(every, probe, name, every, path, method, server)
    ask(PROBES[name], path, method, server=server)


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
            with socket.create_connection((random.choice(SERVERS), 80), 60, (ip, 0)) as c:
                c.sendall(raw)
                c.recv(2000)
        except OSError:
            pass
    threading.Thread(target=send, args=(address(),), daemon=True).start()


for _ in range(48):
    threading.Thread(target=worker, daemon=True).start()
later(0, new_session)
for n in range(S["pollers"]):
    later(rnd.uniform(0, 40), poller, n)
later(3, crawler)
later(60, robots)
later(300, broken)
for n, server in enumerate(SERVERS):
    later(1 + n, probe, "elb", S["elb"], "/healthz", "GET", server)
    later(6 + n, probe, "elb2", S["elb"], "/healthz", "GET", server)
    later(4 + n, probe, "kube", 3 * S["elb"], "/healthz", "GET", server)
if S["head_probe"]:
    later(90, probe, "robot", 300, "/", "HEAD")
else:
    later(90, probe, "robot", 300, "/healthz", "HEAD")
if S["blog"]:
    later(5, reader)
if S["export"]:
    later(200, export)
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
