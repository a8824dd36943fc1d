"""Ids and secrets of Live Runners: what a runner and its sessions are known by is derived from its seed."""

import base64
import hashlib
import hmac
import secrets

_SEED_BYTES = 32


def random_seed() -> bytes:
    """Return what all secrets of a runner are derived from."""
    return secrets.token_bytes(_SEED_BYTES)


def random_id(size: int) -> str:
    """Return so many random bytes as lower-case base32."""
    return _base32(secrets.token_bytes(size))


def derived_secret(seed: bytes, label: str) -> str:
    """Return a secret that only who has the seed can make."""
    return _base32(hmac.digest(seed, label.encode(), hashlib.sha256))


def is_secret(given: str, secret: str) -> bool:
    """Compare in a time that says nothing of where they differ."""
    return hmac.compare_digest(given.encode(), secret.encode())


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()
