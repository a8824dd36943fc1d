"""What frames were made with: other versions, or another device, may round otherwise."""

from __future__ import annotations

import ast
import hashlib
import inspect
import platform
import textwrap
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from byoc_kit import __version__
from byoc_kit.processor import function_behind


def versions() -> dict[str, str]:
    """Return the versions of Python, torch, numpy, PyAV and this kit, and the device, as they are here."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    libraries = {name: version(name) for name in ("torch", "numpy", "av")}
    return {"python": platform.python_version(), **libraries, "byoc-kit": __version__, "device": device}


def function_sha256(process_frame: Callable[..., Any]) -> str:
    """Return the hash of a function's code without its comments; empty where its source is not known."""
    try:
        code = ast.dump(ast.parse(textwrap.dedent(inspect.getsource(function_behind(process_frame)))))
    except (OSError, TypeError, SyntaxError):  # of an extension, of no file, or a lambda amid a line
        return ""
    return hashlib.sha256(code.encode(errors="surrogatepass")).hexdigest()
