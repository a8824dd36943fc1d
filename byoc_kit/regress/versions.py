"""What frames were made with: other versions, or another device, may round otherwise."""

from __future__ import annotations

import platform
from importlib.metadata import version

from byoc_kit import __version__


def versions() -> dict[str, str]:
    """Return the versions of Python, torch, numpy, PyAV and this kit, and the device, as they are here."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    libraries = {name: version(name) for name in ("torch", "numpy", "av")}
    return {"python": platform.python_version(), **libraries, "byoc-kit": __version__, "device": device}
