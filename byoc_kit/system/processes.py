"""A process that does not outlive the one that started it."""

from __future__ import annotations

import ctypes
import signal

_PR_SET_PDEATHSIG = 1


def end_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent ends, or the parent's thread that started it.

    prctl(2), ``PR_SET_PDEATHSIG``. A parent that has ended before is not noticed.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
