"""``python -m benchmarks.trickle PORT``: the trickle server between publisher, contender and reader."""

from __future__ import annotations

import socket
import sys

import uvicorn

from byoc_kit.trickle.server import create_app


def _serve(port: int) -> None:
    listener = socket.create_server(("127.0.0.1", port))
    # As go-livepeer's sockets do, or the picture after a key frame waits 40 ms for an ACK. Accepted ones inherit it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    uvicorn.Server(uvicorn.Config(create_app(), log_config=None, access_log=False)).run(sockets=[listener])


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
