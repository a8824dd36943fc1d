"""The image's HEALTHCHECK: exits with 0 if ``/health`` says that the container is ready."""

import json
import sys
import urllib.request

_READY = {"ok", "OK", "IDLE"}


def main(url: str) -> int:
    """Ask a health URL; returns 0 when ready, otherwise 1 with the reason on stderr."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  # the image's own URL
            content = json.load(answer)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{url}: {error}\n")
        return 1
    if content.get("status") in _READY:
        return 0
    sys.stderr.write(f"{url}: {content}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
