"""The Dockerfile of a bundle, for the classic builder and BuildKit alike."""

from __future__ import annotations

from byoc_kit import PYTHON
from byoc_kit.core.capability import Capability
from byoc_kit.remote.locked import ASSETS as LOCK_OF_ASSETS
from byoc_kit.remote.store import WEIGHTS

PORT = 8000
LABEL = "byoc-kit.model"
"""The label that names the model on each stage, to find the leftovers of earlier builds."""

_DOCKERFILE = f"""\
# Serves {{model_id}}; written by byoc-kit.
# Any base with Python {{python}} and its venv module will do.
ARG BASE_IMAGE={{base}}

# The locked wheels without the kit's own: another kit installs nothing of them anew.
FROM ${{{{BASE_IMAGE}}}} AS wheels
LABEL {LABEL}={{model_id}}
COPY wheels/ /wheels/
RUN rm -f /wheels/byoc_kit-*.whl

FROM ${{{{BASE_IMAGE}}}} AS build
LABEL {LABEL}={{model_id}}
ENV PATH=/opt/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/venv
COPY --from=wheels /wheels/ /tmp/wheels/
COPY requirements.lock /tmp/
# PIP_NO_INDEX=1 installs from wheels/ alone. A build of torch for a device, such as 2.13.0+cpu, is on an index of its
# own, which PIP_EXTRA_INDEX_URL names.
ARG PIP_NO_INDEX=
ARG PIP_FIND_LINKS=/tmp/wheels
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
RUN pip install {{require_hashes}}--no-deps --requirement /tmp/requirements.lock
COPY wheels/byoc_kit-*.whl /tmp/kit/
RUN pip install --no-deps --no-index /tmp/kit/*.whl

# Root's, and readable by all whatever the umask was where the bundle was written: who breaks in cannot change them.
FROM ${{{{BASE_IMAGE}}}} AS app
LABEL {LABEL}={{model_id}}
{{assets}}{{remote}}COPY bundle.json processor.py processor.map.json /app/
RUN chmod -R a=rX /app

FROM ${{{{BASE_IMAGE}}}}
LABEL {LABEL}={{model_id}}
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --create-home --uid 1000 byoc
COPY --from=build /opt/venv/ /opt/venv/

WORKDIR /app
{{own_assets}}{{own_remote}}COPY --from=app /app/bundle.json /app/processor.py /app/processor.map.json ./

USER byoc
EXPOSE {PORT}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=120s --retries=2 \\
  CMD ["python3", "-m", "byoc_kit.server.probe", "http://127.0.0.1:{PORT}/health"]
CMD ["byoc-kit", "serve", "/app", "--host", "0.0.0.0", "--port", "{PORT}"]
"""

_ASSETS = "COPY assets/ /app/assets/\n"
_OWN_ASSETS = "COPY --from=app /app/assets/ ./assets/\n"
_REMOTE = f"COPY {LOCK_OF_ASSETS} /app/\n"
_OWN_REMOTE = f"COPY --from=app /app/{LOCK_OF_ASSETS} ./\n"
_WEIGHTS = f"COPY {WEIGHTS}/ /app/{WEIGHTS}/\n"
_OWN_WEIGHTS = f"COPY --from=app /app/{WEIGHTS}/ ./{WEIGHTS}/\n"

DOCKERIGNORE = """\
*
!assets
!bundle.json
!processor.map.json
!processor.py
!requirements.lock
!wheels
"""


def render_dockerignore(*, has_remote: bool = False) -> str:
    """Render the list of what an image is built from; ``has_remote`` where the bundle has remote assets."""
    return DOCKERIGNORE + (f"!{LOCK_OF_ASSETS}\n!{WEIGHTS}\n" if has_remote else "")


def default_base(python: str = PYTHON) -> str:
    """Return the base image for a version of Python, such as ``3.11``."""
    return f"python:{python}-slim-bookworm"


def render_dockerfile(
    capability: Capability,
    *,
    has_assets: bool = False,
    has_hashes: bool = True,
    has_remote: bool = False,
    is_baked: bool = False,
    python: str = PYTHON,
) -> str:
    """Render the Dockerfile for a capability; its model id is plain by construction.

    ``has_remote`` where the bundle has remote assets, and ``is_baked`` where it has their files too.
    It sets neither ``PIPELINE`` nor ``BYOC_KIT_CONTRACT``: by these the container knows who has started it.
    """
    return _DOCKERFILE.format(
        model_id=capability.model_id,
        python=python,
        base=default_base(python),
        require_hashes="--require-hashes " if has_hashes else "",
        assets=_ASSETS if has_assets else "",
        own_assets=_OWN_ASSETS if has_assets else "",
        remote=_WEIGHTS * is_baked + _REMOTE * has_remote,
        own_remote=_OWN_WEIGHTS * is_baked + _OWN_REMOTE * has_remote,
    )
