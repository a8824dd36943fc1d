"""The URLs of generated session proxies: a template with ``{proxy}`` in its host, or as its last path segment."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, quote, urlsplit

from byoc_kit.errors import ByocKitError

PLACEHOLDER = "{proxy}"

_NOT_IN_A_URL = re.compile(r"[\x00-\x1f\x7f]|%(?![0-9A-Fa-f]{2})")

_SAFE = "$&+:=@-_.~"
"""What Go's ``url.PathEscape`` leaves in a path segment, beyond letters and digits."""


@dataclass(frozen=True)
class ProxyMatch:
    """A request that matches the template: the id in it, and the path behind it."""

    proxy_id: str
    app_path: str


@dataclass(frozen=True)
class ProxyTemplate:
    """Where generated proxies are; ``before`` and ``after`` surround the id, in the host or in the path."""

    raw: str
    is_in_host: bool
    host: str
    path: str

    @classmethod
    def parse(cls, raw: str) -> Self:
        """Read a template as ``-liveRunnerProxyUrl`` takes it; raises ByocKitError."""
        if raw.count(PLACEHOLDER) != 1:
            raise ByocKitError(f"the proxy URL {raw} must have exactly one {PLACEHOLDER}")
        parts = split_http_url(raw)
        if parts is None:
            raise ByocKitError(f"the proxy URL {raw} must be an absolute http:// or https:// URL")
        if PLACEHOLDER in parts.netloc:
            host = parts.netloc.rpartition("@")[2].partition(":")[0].lower()
            return cls(raw, is_in_host=True, host=host, path=parts.path.rstrip("/"))
        before, found, after = parts.path.partition(PLACEHOLDER)
        if not found or not before.endswith("/") or after not in ("", "/"):
            raise ByocKitError(f"the proxy URL {raw} must have {PLACEHOLDER} in its host or as its last path segment")
        return cls(raw, is_in_host=False, host=parts.netloc.lower(), path=before)

    def url(self, proxy_id: str) -> str:
        """Return the URL of one proxy."""
        return self.raw.replace(PLACEHOLDER, proxy_id if self.is_in_host else quote(proxy_id, safe=_SAFE))

    def match(self, host: str, path: str) -> ProxyMatch | None:
        """Return what a request asks for; a template with the id in its path wants the host with the same port."""
        return self._match_host(host, path) if self.is_in_host else self._match_path(host, path)

    def _match_path(self, host: str, path: str) -> ProxyMatch | None:
        if host.lower() != self.host or not path.startswith(self.path):
            return None
        proxy_id, _, app_path = path[len(self.path) :].partition("/")
        return ProxyMatch(proxy_id, app_path) if proxy_id else None

    def _match_host(self, host: str, path: str) -> ProxyMatch | None:
        before, _, after = self.host.partition(PLACEHOLDER)
        name = host.rpartition(":")[0].lower() if ":" in host else host.lower()
        proxy_id = name[len(before) : len(name) - len(after)]
        if name != before + proxy_id + after or not proxy_id:
            return None
        if path != self.path and not path.startswith(self.path + "/"):
            return None
        return ProxyMatch(proxy_id, path[len(self.path) :].removeprefix("/"))


def split_http_url(url: str) -> SplitResult | None:
    """Return the parts of an absolute http or https URL with a host, as Go's ``url.ParseRequestURI`` takes it.

    None where it is none. That function knows no fragment: a ``#`` belongs to the path.
    """
    if _NOT_IN_A_URL.search(url):
        return None
    try:
        parts = urlsplit(url.replace("#", "%23"))
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    is_valid = parts.scheme in ("http", "https") and parts.hostname and " " not in parts.netloc
    return parts if is_valid else None
