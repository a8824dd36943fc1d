"""A server of weights and a fake of the hub's API, and what they were asked."""

import hashlib
import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

COMMIT = "a" * 40
REPO = "org/tiny"


class Server:
    """Serves ``files`` by their path, with ranges. ``cuts`` are the sizes after which it closes a connection.

    ``answers`` are statuses, and ``redirects`` are targets, by path.
    """

    def __init__(self):
        self.files, self.answers, self.redirects, self.headers = {}, {}, {}, {}
        self.cuts, self.asked = [], []
        self.redirect_headers = {}
        self.has_tags = True
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.answer(self, with_body=True)

            def do_HEAD(self):
                outer.answer(self, with_body=False)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request, *, with_body):
        path = urlsplit(request.path).path
        self.asked.append((request.command, path, dict(request.headers)))
        request.close_connection = True
        if path in self.redirects:
            return self._send(request, 302, {**self.redirect_headers, "Location": self.redirects[path]}, b"", with_body)
        if path in self.answers or path not in self.files:
            return self._send(request, self.answers.get(path, 404), self.headers.get(path, {}), b"", with_body)
        data = self.files[path]
        tag = f'"{hashlib.sha256(data).hexdigest()}"'
        headers = {**({"ETag": tag} if self.has_tags else {}), **self.headers.get(path, {})}
        asked = request.headers
        if self.has_tags and asked.get("If-None-Match") == tag:
            return self._send(request, 304, headers, b"", with_body=False)
        start, status = 0, 200
        if "Range" in asked and asked.get("If-Range", tag) == tag:
            start, status = int(asked["Range"].removeprefix("bytes=").partition("-")[0]), 206
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return self._send(request, status, headers, data[start:], with_body)

    def _send(self, request, status, headers, body, with_body):
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Connection": "close", **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        with suppress(ConnectionError):  # a client may go away when it has read the headers
            request.wfile.write((body[: self.cuts.pop(0)] if self.cuts and body else body) if with_body else b"")


class Hub(Server):
    """A fake of the hub with one repository, whose ``main`` is ``commit``."""

    def __init__(self):
        super().__init__()
        self.commit = COMMIT

    def put(self, **files):
        """Make the repository have these files; a name's ``__`` is a dot, and ``listed`` are names without a file."""
        listed = files.pop("listed", [])
        content = {name.replace("__", "."): data for name, data in files.items()}
        siblings = [{"rfilename": name} for name in [*content, *listed]]
        info = json.dumps({"id": REPO, "sha": self.commit, "siblings": siblings}).encode()
        for revision in ("main", self.commit):
            self.files[f"/api/models/{REPO}/revision/{revision}"] = info
            for name, data in content.items():
                path = f"/{REPO}/resolve/{revision}/{name}"
                self.files[path] = data
                self.headers[path] = {"X-Repo-Commit": self.commit}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The cache's folder, with no login of this machine in reach."""
    monkeypatch.setenv("BYOC_KIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return tmp_path / "cache"


@pytest.fixture
def server():
    one = Server()
    yield one
    one.close()


@pytest.fixture
def hub(monkeypatch):
    """The fake hub, as huggingface_hub's only one."""
    from huggingface_hub import close_session, constants

    one = Hub()
    monkeypatch.setattr(constants, "ENDPOINT", one.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", one.url + "/{repo_id}/resolve/{revision}/{filename}")
    yield one
    close_session()
    one.close()
