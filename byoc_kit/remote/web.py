"""Fetches a file from a URL: resumed where the server can, under another name until it is whole."""

from __future__ import annotations

import netrc
import os
import re
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from byoc_kit.errors import AssetError
from byoc_kit.remote.locked import LockedFile
from byoc_kit.remote.names import WebName
from byoc_kit.remote.progress import Progress
from byoc_kit.remote.store import unwritable
from byoc_kit.system.addresses import without_secrets
from byoc_kit.system.files import sha256_of, write_whole

_TIMEOUT_S = 30
_PIECE = 1 << 20
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_LOGIN = "put the login of its host into ~/.netrc, or into the file that NETRC names"


class UnreachableError(AssetError):
    """A remote asset cannot be fetched now: there is no network, or its server is down."""


@dataclass(frozen=True)
class Fetched:
    """A whole file, and the ETag by which its server knows it."""

    file: LockedFile
    tag: str | None


class _CutError(Exception):
    """A download ended before the file was whole."""


class _Redirects(HTTPRedirectHandler):
    """Follows redirects, but not to where anybody on the way could change the file."""

    def redirect_request(  # noqa: PLR0917  # as urllib calls it
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme not in ({"https"} if req.type == "https" else {"http", "https"}):
            fp.close()
            reason = f"redirects to {without_secrets(newurl)}, which is not encrypted"
            raise AssetError(without_secrets(req.full_url), reason, "name a URL that is https all the way")
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        if new is not None:
            _add_login(new)
        return new


def fetch(name: WebName, target: Path, *, locked: LockedFile | None = None, known: Fetched | None = None) -> Fetched:
    """Fetch the file into ``target``, which appears only when it is whole.

    ``locked`` is what it must be. ``known`` is what ``target`` has: it stays where the server has nothing else. Raises
    ``AssetError``, and ``UnreachableError`` where trying again may help.
    """
    download = _Download(name, target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not download.run(known) and known:
            return known
        return download.finish(locked)
    except OSError as error:
        raise unwritable(name, target.parent, error) from None


class _Download:
    """A file on its way: ``part`` is what came of it, and ``tag_file`` has the ETag of what it is part of."""

    def __init__(self, name: WebName, target: Path) -> None:
        self.name, self.target = name, target
        self.part = target.with_name(f".{target.name}.part")
        self.tag_file = target.with_name(f".{target.name}.tag")
        self.opener: OpenerDirector = build_opener(_Redirects)

    @property
    def size(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    @property
    def tag(self) -> str:
        return self.tag_file.read_text() if self.tag_file.is_file() else ""

    def run(self, known: Fetched | None) -> bool:
        """Fetch what is missing; ``False`` where the server says that what is known has not changed.

        A download that is cut off is taken up again, as long as more of it comes each time.
        """
        most = -1
        while True:
            try:
                return self._run_once(known)
            except _CutError as error:
                if self.size <= most:
                    reason = f"was cut off after {self.size} bytes: {error}"
                    raise UnreachableError(self.name.shown, reason, "try again later") from None
                most = self.size

    def _run_once(self, known: Fetched | None) -> bool:
        start = self.size if self._can_resume else 0
        response = self._open(start, known)
        if response is None:
            return False
        with response:
            length = int(response.headers.get("Content-Length") or -1)
            if known and not known.tag and response.status == 200 and length == known.file.size:
                return False  # a server without ETags: its size is all that can be compared
            is_rest = response.status == 206
            total = _total(response, start, length) if is_rest else length if length >= 0 else None
            tag = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
            write_whole(self.tag_file, tag.encode())
            self._receive(response, start if is_rest else 0, total)
        return True

    @property
    def _can_resume(self) -> bool:
        """Whether the server can be told what the part is of: a weak ETag does not say it exactly."""
        return bool(self.tag) and not self.tag.startswith("W/")

    def finish(self, locked: LockedFile | None) -> Fetched:
        """Check the file, and give it its name."""
        file = LockedFile(self.size, sha256_of(self.part))
        if locked is not None and file != locked:
            self.part.unlink()
            reason = f"has changed since the export: its SHA-256 is {file.sha256}, and not {locked.sha256}"
            raise AssetError(self.name.shown, reason, "export the notebook again, or put the exported file back")
        tag = self.tag
        self.part.replace(self.target)
        self.tag_file.unlink(missing_ok=True)
        return Fetched(file, tag or None)

    def _open(self, start: int, known: Fetched | None) -> HTTPResponse | None:
        request = Request(self.name.text, headers={"User-Agent": "byoc-kit"})  # noqa: S310  # http or https, by its name
        if start:
            request.add_header("Range", f"bytes={start}-")
            request.add_header("If-Range", self.tag)
        elif known and known.tag:
            request.add_header("If-None-Match" if known.tag.endswith('"') else "If-Modified-Since", known.tag)
        _add_login(request)
        try:
            response: HTTPResponse = self.opener.open(request, timeout=_TIMEOUT_S)
        except HTTPError as error:
            error.close()
            return self._refused(error.code, start, known)
        except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
            reason = getattr(error, "reason", None) or error
            text = getattr(reason, "strerror", None) or str(reason)
            hint = "look at the network, and try again"
            raise UnreachableError(self.name.shown, f"cannot be fetched: {text}", hint) from None
        return response

    def _refused(self, code: int, start: int, known: Fetched | None) -> HTTPResponse | None:
        if code == 304:
            return None
        if code == 416 and start:  # the file is shorter now
            self.part.unlink()
            return self._open(0, known)
        if code in {401, 403}:
            raise AssetError(self.name.shown, f"is behind a login: its server answers {code}", _LOGIN)
        if code in {404, 410}:
            reason = f"is gone: its server answers {code}"
            raise AssetError(self.name.shown, reason, "correct the URL, or name another file", is_missing=True)
        raise UnreachableError(self.name.shown, f"cannot be fetched: its server answers {code}", "try again later")

    def _receive(self, response: HTTPResponse, start: int, total: int | None) -> None:
        with (
            self.part.open("r+b" if start else "wb") as file,
            Progress(self.target.name, total, start=start) as progress,
        ):
            file.seek(start)
            while piece := _read(response):
                file.write(piece)
                progress.advance(len(piece))
            if total is not None and file.tell() < total:
                msg = "the server closed the connection"
                raise _CutError(msg)


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read(_PIECE)
    except (HTTPException, ConnectionError, TimeoutError) as error:
        raise _CutError(type(error).__name__) from None


def _total(response: HTTPResponse, start: int, length: int) -> int | None:
    found = _RANGE.fullmatch(response.headers.get("Content-Range") or "")
    if found is None or int(found[1]) != start:
        msg = "the server sent another part than it was asked for"
        raise _CutError(msg)
    return int(found[2]) if found[2] != "*" else start + length if length >= 0 else None


def _add_login(request: Request) -> None:
    """Add the login that ``.netrc`` has for the request's own host. A redirect to another host does not carry it."""
    host = urlsplit(request.full_url).hostname
    with suppress(OSError, netrc.NetrcParseError):
        found = netrc.netrc(os.environ.get("NETRC")).hosts.get(host or "")
        if found:
            login = b64encode(f"{found[0]}:{found[2]}".encode()).decode()
            request.add_unredirected_header("Authorization", f"Basic {login}")
