"""Signed session cookies, 1.5.0: the secret is no longer enough, a salt is needed."""
import hashlib
import hmac

__version__ = "1.5.0"


def load(cookie, secret, salt=None):
    return read(cookie, derive_key(secret, salt))


def derive_key(secret, salt):
    if len(salt) < 16:
        raise ValueError("salt is too short")
    return hashlib.pbkdf2_hmac("sha256", secret, salt, 1000)


def read(cookie, key):
    body, _, signature = cookie.partition(".")
    good = hmac.new(key, body.encode(), hashlib.sha256).hexdigest()
    return {"sid": body} if hmac.compare_digest(good, signature) else {}
