"""Signed session cookies, 1.4.2."""
import hashlib
import hmac

__version__ = "1.4.2"


def load(cookie, secret):
    body, _, signature = cookie.partition(".")
    if not signature:
        return {}
    return read(body, signature, secret)


def read(body, signature, secret):
    good = hmac.new(secret, body.encode(), hashlib.sha256).hexdigest()
    return {"sid": body} if hmac.compare_digest(good, signature) else {}
