"""Asks a container for pictures, from within it: ``python3 - URL COUNT < smoke_client.py``.

It needs Python alone: the image may have another version of the kit.
"""

from __future__ import annotations

import json
import struct
import sys
import time
import urllib.error
import urllib.request
import zlib

_POLL_S = 0.1
_READY_WITHIN_S = 300  # a large model loads for minutes
_ANSWER_WITHIN_S = 60
_WIDTH, _HEIGHT = 512, 512
_READY = json.dumps({"status": "ok"})


def png(number: int) -> bytes:
    """Return a picture of a gradient that differs by number."""
    line = bytes(value for x in range(_WIDTH) for value in (x % 256, number * 5 % 256, 128))
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress((b"\0" + line) * _HEIGHT)), (b"IEND", b"")]
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def health(url: str) -> str:
    """Return what ``/health`` answers, or why it does not."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:  # noqa: S310  # this container's own
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode(errors="replace")
    except OSError as error:
        return str(error)


def until_ready(url: str) -> str | None:
    """Wait for ``/health`` to be ok; returns its last answer if it is an error, or never is ok."""
    ends_s = time.monotonic() + _READY_WITHIN_S
    while '"error"' not in (answered := health(url)) and time.monotonic() < ends_s:
        if answered == _READY:
            return None
        time.sleep(_POLL_S)
    return answered


def process(url: str, picture: bytes) -> str | None:
    """Post a picture; returns what is wrong with the answer, if anything is. A model may drop a picture."""
    request = urllib.request.Request(f"{url}/process", picture, {"Content-Type": "image/png"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_WITHIN_S) as answer:  # noqa: S310
            body, status = answer.read(), answer.status
    except urllib.error.HTTPError as error:
        with error:
            return f"HTTP {error.code}: {error.read().decode(errors='replace')}"
    except OSError as error:
        return str(error)
    return None if body or status == 204 else f"HTTP {status} without a picture"


def main(url: str, count: int) -> str | None:
    """Return what went wrong, in one line; ``None`` if nothing did."""
    if refused := until_ready(url):
        return f"/health never was ok; its last answer: {refused.strip()}"
    for number in range(count):
        if wrong := process(url, png(number)):
            return f"picture {number + 1} of {count}: {wrong.strip()}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
