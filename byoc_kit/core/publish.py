"""``publish`` sends results that are not video: JSON objects, one per line, on the stream's data channel."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from byoc_kit.errors import ByocKitError

MAX_LINE = 65_535
"""The most bytes of a line, with its newline: go-livepeer's reader takes less than 64 KiB."""

_MOST_VALUES = MAX_LINE // 2  # each takes at least a digit and a comma

Publish = Callable[[bytes], None]
"""A function that takes an encoded line, and must not block."""

_publish: ContextVar[Publish | None] = ContextVar("byoc_kit_publish", default=None)


class DataError(ByocKitError):
    """A message that the data channel cannot carry."""


def publish(message: Mapping[str, Any]) -> None:
    """Send one JSON object to the readers of the stream's data channel; returns at once.

    Any hook may call it, on its own thread. The message is only checked, and not sent, if no stream runs, if the stream
    has no data channel, or on a thread that the notebook has started itself.

    Parameters
    ----------
    message : mapping
        Values that JSON has. Values of numpy and torch are sent as numbers and lists.

    Raises
    ------
    DataError
        If the message is not a JSON object, or needs 64 KiB or more.

    Examples
    --------
    >>> import byoc_kit
    >>> byoc_kit.publish({"faces": 2, "boxes": [[10, 20, 64, 64]]})
    """
    line = encode_line(message)
    send = _publish.get()
    if send is not None:
        send(line)


@contextmanager
def publishing_to(send: Publish | None) -> Iterator[None]:
    """Pass the lines of ``publish`` to ``send`` while the body runs."""
    token = _publish.set(send)
    try:
        yield
    finally:
        _publish.reset(token)


def _plain(value: Any) -> Any:
    """Return a numpy or torch value as a number or as lists. Raises ``TypeError`` for anything else."""
    kind = type(value)
    if kind.__module__.partition(".")[0] not in ("numpy", "torch") or not hasattr(value, "tolist"):
        msg = f"{kind.__name__} is not a type that JSON has"
        raise TypeError(msg)
    count = math.prod(value.shape)
    if count > _MOST_VALUES:
        msg = f"{kind.__name__} has {count} values, but at most {_MOST_VALUES} fit"
        raise ValueError(msg)
    return value.tolist()


def encode_line(message: Mapping[str, Any]) -> bytes:
    """Return a message as a line of JSON. Raises ``DataError``."""
    if not isinstance(message, Mapping):
        msg = f"publish() takes a dict, not {type(message).__name__}; write publish({{'result': ...}})"
        raise DataError(msg)
    try:
        text = json.dumps(dict(message), allow_nan=False, separators=(",", ":"), default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        msg = f"publish() takes only JSON values: {error}; send numbers, strings, lists and dicts"
        raise DataError(msg) from None
    line = text.encode() + b"\n"
    if len(line) > MAX_LINE:
        msg = f"publish() takes less than 64 KiB a message, not {len(line)} bytes; send less, or in parts"
        raise DataError(msg)
    return line
