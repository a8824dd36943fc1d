"""The URLs of a Live Runner orchestrator: for clients, for containers, and of the proxies that it generates."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, quote, urlsplit

from byoc_kit.errors import ByocKitError
from byoc_kit.trickle.server import BASE_PATH

PLACEHOLDER = "{proxy}"

_NOT_IN_A_URL = re.compile(r"[\x00-\x1f\x7f]|%(?![0-9A-Fa-f]{2})")

# What Go leaves as it is, beyond letters and digits.
_SAFE_IN_A_SEGMENT = "$&+:=@-_.~"  # url.PathEscape
_SAFE_IN_A_PATH = "$&+,/:;=@-_.~!'()*"  # URL.JoinPath


@dataclass(frozen=True)
class ProxyMatch:
    """A request that matches the template: the id in it, and the path after it."""

    proxy_id: str
    app_path: str


@dataclass(frozen=True)
class ProxyTemplate:
    """The URL of generated proxies, with ``{proxy}`` in its host or as its last path segment.

    ``host`` still has the placeholder where that is in the host. Otherwise ``path`` is what stands before it.
    """

    raw: str
    is_in_host: bool
    host: str
    path: str

    @classmethod
    def parse(cls, raw: str) -> Self:
        """Read a template as ``-liveRunnerProxyUrl`` takes it; raises ByocKitError."""
        if raw.count(PLACEHOLDER) != 1:
            msg = f"the proxy URL {raw} must have exactly one {PLACEHOLDER}"
            raise ByocKitError(msg)
        parts = split_http_url(raw)
        if parts is None:
            msg = f"the proxy URL {raw} must be an absolute http:// or https:// URL"
            raise ByocKitError(msg)
        if PLACEHOLDER in parts.netloc:
            host = parts.netloc.rpartition("@")[2].partition(":")[0].lower()
            return cls(raw, is_in_host=True, host=host, path=parts.path.rstrip("/"))
        before, found, after = parts.path.partition(PLACEHOLDER)
        if not found or not before.endswith("/") or after not in ("", "/"):
            msg = f"the proxy URL {raw} must have {PLACEHOLDER} in its host or as its last path segment"
            raise ByocKitError(msg)
        return cls(raw, is_in_host=False, host=parts.netloc.lower(), path=before)

    def url(self, proxy_id: str) -> str:
        """Return the URL of one proxy."""
        return self.raw.replace(PLACEHOLDER, proxy_id if self.is_in_host else quote(proxy_id, safe=_SAFE_IN_A_SEGMENT))

    def match(self, host: str, path: str) -> ProxyMatch | None:
        """Return what a request asks for; with the id in the path, the host must match with its port."""
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


@dataclass(frozen=True)
class RunnerUrls:
    """Base URLs: ``public`` for clients, ``internal`` for containers; and the template of generated proxies."""

    public: str
    internal: str
    proxies: ProxyTemplate

    def session(self, route: str, session_id: str) -> str:
        """Return the URL with which a client controls its session."""
        return joined(self.public, "apps", route, "session", session_id)

    def callbacks(self, route: str, session_id: str) -> str:
        """Return the URL with which a container controls a session."""
        return joined(self.internal, "runner", route, "session", session_id)


def joined(base: str, *segments: str) -> str:
    """Return a URL with path segments added, escaped as Go's ``URL.JoinPath`` does."""
    return "/".join([base.rstrip("/"), *(quote(one, safe=_SAFE_IN_A_PATH) for one in segments)])


def trickle_url(base: str, channel_name: str) -> str:
    """Return the URL of a channel."""
    return joined(base, BASE_PATH.strip("/"), channel_name)


def split_http_url(url: str) -> SplitResult | None:
    """Return the parts of an absolute http or https URL with a host, as Go's ``url.ParseRequestURI`` takes it.

    Return None for any other text. Go's function has no fragments: a ``#`` belongs to the path.
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
