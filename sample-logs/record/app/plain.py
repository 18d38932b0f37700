"""A small shop on the standard library alone; it starts fast.

usage: plain.py PORT
"""
import random
import select
import signal
import socketserver
import sys
import time

NAMES = {200: "OK", 201: "Created", 302: "Found", 303: "See Other", 304: "Not Modified", 401: "Unauthorized",
         404: "Not Found", 500: "Internal Server Error"}
LOG = "/var/log/app/app.log"


def say(text):
    with open(LOG, "a") as f:
        f.write(time.strftime("%Y-%m-%dT%H:%M:%S%z ") + text + "\n")


def answer(method, path, length):
    """Status, body, further header."""
    name = path.split("?")[0]
    select.select([], [], [], random.uniform(0.02, 0.25))
    page = "<p>Lorem ipsum dolor sit amet.</p>" * random.randint(20, 120)
    if name == "/orders/export":             # has never worked
        say("ERROR export: order 7312 has no address")
        return 500, "<h1>Internal Server Error</h1>", ""
    if name == "/checkout":
        say("INFO order placed: order=%d" % random.randint(8000, 9999))
        return 303, "", "Location: /orders/%d\r\n" % random.randint(8000, 9999)
    if name == "/login" and method == "POST":
        return (401, page, "") if random.random() < 0.06 else (302, "", "Location: /\r\n")
    if name == "/api/cart":
        return (201 if method == "POST" else 200), '{"items":%d}' % random.randint(0, 5), ""
    if name == "/api/prices":
        return 200, '{"prices":%r}' % [random.randint(100, 9900) for _ in range(30)], ""
    if name in ("/", "/products", "/search", "/login") or name.startswith("/orders/"):
        return 200, page, ""
    if name.startswith("/products/") and name[10:].isdigit() and int(name[10:]) <= 400:
        return 200, page, ""
    return 404, "<h1>Not Found</h1>", ""


class Handler(socketserver.StreamRequestHandler):
    timeout = 60

    def handle(self):
        try:
            method, path, _ = self.rfile.readline(8192).decode("latin-1").split(" ", 2)
            length = 0
            while (line := self.rfile.readline(8192).strip()):
                if line.lower().startswith(b"content-length:"):
                    length = int(line[15:])
            self.rfile.read(length)
            status, body, more = answer(method, path, length)
        except (ValueError, OSError):
            return
        data = body.encode()
        self.wfile.write(("HTTP/1.0 %d %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\n%s\r\n"
                          % (status, NAMES[status], len(data), more)).encode() + (data if method != "HEAD" else b""))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 64


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
select.select([], [], [], 1.5)               # reads its catalogue
say("INFO application ready")
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever(poll_interval=0.5)
