"""URLs as they may be shown."""

from __future__ import annotations

from urllib.parse import urlsplit


def without_secrets(url: str) -> str:
    """Return a URL without its user, its password and its query, which may hold a key."""
    try:
        parts = urlsplit(url)
    except ValueError:  # it is none
        return url.partition("://")[0] + "://"
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
