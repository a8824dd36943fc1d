"""Ends a process together with the process that started it."""

from __future__ import annotations

import ctypes
import signal

_PR_SET_PDEATHSIG = 1


def end_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Let the kernel send this process a signal when its parent ends, or the parent's thread that started it.

    See prctl(2), ``PR_SET_PDEATHSIG``. It does not notice a parent that ended before the call.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
