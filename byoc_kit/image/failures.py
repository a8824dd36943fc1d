"""What an engine's last lines most likely mean, and what helps."""

from __future__ import annotations

import re

# The first that fits is said; the rarer and plainer causes stand first.
_ADVICE = {
    r"no space left on device|disk quota exceeded": (
        "the disk is full; free some space, such as with `{engine} image prune`, and build again"
    ),
    r"python3: (not found|no such file)|exec: \"?python3|No module named venv|"
    r"ensurepip is not available": (
        "the base image lacks Python with its venv module; name one that has both with --base-image"
    ),
    r"exec format error|requires emulation|no match for platform|does not match the specified platform": (
        "this engine cannot build for that platform here; build on a machine of that platform, or install "
        "qemu-user-static and a base for it"
    ),
    r"DO NOT MATCH THE HASHES": (
        "a wheel differs from the one that the lock names, which is that of the exporting machine's platform; "
        "export again, on the platform that the image is for"
    ),
    r"is not a supported wheel on this platform": (
        "a wheel of the bundle is for another platform or Python than the base; export on the image's platform"
    ),
    r"unauthorized|authentication required|requested access to the resource is denied|no basic auth credentials": (
        "the registry refuses; log in with `{engine} login`, and check that the image's name is yours"
    ),
    r"pull access denied|manifest unknown|failed to resolve source metadata|registry.*(refused|timeout|no such host)|"
    r"short-name .* did not resolve|unable to copy from source|pinging container registry": (
        "the base image is not available here; name one that is with --base-image"
    ),
    r"No matching distribution found|name resolution|CERTIFICATE_VERIFY_FAILED|Failed to establish a new connection": (
        "pip reaches no index from within the build, or the index has no such wheel; collect the wheels here "
        "with `byoc-kit export NOTEBOOK --wheelhouse`, and build again"
    ),
    r"operation not permitted|cannot clone|unshare|newuidmap": (
        "the engine may not start containers here; for Buildah and Podman, try BUILDAH_ISOLATION=chroot"
    ),
}


_NO_FITTING_WHEEL = (
    "the bundle's wheels are for another Python or platform than the base; name a base with the Python that exported "
    "with --base-image, or export on the image's platform"
)


def advice(engine: str, said: str, *, has_wheels: bool = False) -> str:
    """Return a likely cause and the next step, by what the engine said at last.

    ``has_wheels`` where the build takes nothing but the bundle's own wheels: then no index is missing.
    """
    if has_wheels and "No matching distribution found" in said:
        return _NO_FITTING_WHEEL
    for pattern, text in _ADVICE.items():
        if re.search(pattern, said, re.IGNORECASE):
            return text.format(engine=engine)
    return "fix what its last lines say, above"
