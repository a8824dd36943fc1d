import io
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import av
import numpy as np
import pytest

from byoc_kit.image import smoke_client

OK = (200, b'{"status": "ok"}')


@contextmanager
def container(health, processed):
    """A server that gives its next health and its next picture, the last ones again and again."""
    posted = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(health)

        def do_POST(self):
            posted.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(processed)

        def answer(self, answers):
            status, body = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="container")
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", posted
        server.shutdown()
        thread.join()


def test_pictures_are_posted_once_the_container_is_ready():
    loading = (503, b'{"status": "loading"}')
    with container([loading, loading, OK], [(200, b"picture"), (204, b"")]) as (url, posted):
        assert smoke_client.main(url, 3) is None
    assert len(set(posted)) == 3


@pytest.mark.parametrize(
    ("health", "processed", "reason"),
    [
        ([(503, b'{"status": "error", "detail": "no GPU"}')], [OK], "/health never was ok; its last answer: "),
        ([OK], [(500, b"process_frame raised")], "picture 1 of 2: HTTP 500: process_frame raised"),
        ([OK], [(200, b"x"), (200, b"")], "picture 2 of 2: HTTP 200 without a picture"),
    ],
)
def test_what_goes_wrong_is_said(health, processed, reason):
    with container(health, processed) as (url, _):
        assert smoke_client.main(url, 2).startswith(reason)


def test_a_container_that_never_is_ready_is_given_up(monkeypatch, free_port):
    monkeypatch.setattr(smoke_client, "_READY_WITHIN_S", 0.01)
    assert smoke_client.main(f"http://127.0.0.1:{free_port}", 1).startswith("/health never was ok; its last answer: ")


def test_the_pictures_are_png_that_differ():
    first, second = (
        next(av.open(io.BytesIO(smoke_client.png(number))).decode(video=0)).to_ndarray(format="rgb24")
        for number in (0, 1)
    )
    assert first.shape == (512, 512, 3)
    assert np.array_equal(first[0, :3], [[0, 0, 128], [1, 0, 128], [2, 0, 128]])
    assert np.array_equal(second[:, :, 1], np.full((512, 512), 5))
