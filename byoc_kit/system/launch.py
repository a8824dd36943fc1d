"""A script that becomes a command, which ends with its parent and can be interrupted. It does not import byoc-kit.

    python launch.py PARENT SIGNAL COMMAND...

The system's kernel sends SIGNAL to the command when the parent ends, or the parent's thread that started it: a parent
that is killed cannot clean up. An idle Jupyter kernel ignores SIGINT, and its children would inherit that; they could
then not be cancelled like with Ctrl-C. So SIGINT gets its default effect here.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_INTERRUPTED = 130
_CANNOT_START = 127


def main(arguments: Sequence[str]) -> int:
    """Become the command. Returns only if that fails, or if the parent has ended."""
    parent, number, *command = arguments
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number))  # this also holds after exec, see prctl(2)
    if os.getppid() != int(parent):  # the parent ended before this could watch it
        return _INTERRUPTED
    try:
        os.execvp(command[0], command)  # noqa: S606  # runs without a shell
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
    return _CANNOT_START


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
