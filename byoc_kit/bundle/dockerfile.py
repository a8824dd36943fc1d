"""The Dockerfile of a bundle, for the classic builder and BuildKit alike."""

from __future__ import annotations

from byoc_kit.capability import Capability

DEFAULT_BASE = "python:3.11-slim-bookworm"
PORT = 8000

_DOCKERFILE = f"""\
# Serves {{model_id}}; written by byoc-kit.
# Any base with Python 3.11 and its venv module will do.
ARG BASE_IMAGE={DEFAULT_BASE}
FROM ${{{{BASE_IMAGE}}}}

ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
RUN python3 -m venv /opt/venv && useradd --create-home --uid 1000 byoc

WORKDIR /app
COPY wheels/ /tmp/wheels/
COPY requirements.lock ./
# PIP_NO_INDEX=1 installs from wheels/ alone. torch comes first: a CUDA build brings its libraries along.
ARG PIP_NO_INDEX=
ARG PIP_FIND_LINKS=/tmp/wheels
ARG PIP_EXTRA_INDEX_URL=
RUN pip install --constraint requirements.lock torch \\
 && pip install --no-deps --requirement requirements.lock

# Owned by its reader, whatever the umask was where the bundle was written.
COPY --chown=byoc bundle.json processor.py processor.map.json ./

USER byoc
ENV PIPELINE=live-video-to-video MODEL_ID={{model_id}}
EXPOSE {PORT}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=120s --retries=2 \\
  CMD ["python3", "-m", "byoc_kit.server.probe", "http://127.0.0.1:{PORT}/health"]
CMD ["byoc-kit", "serve", "/app", "--host", "0.0.0.0", "--port", "{PORT}"]
"""

DOCKERIGNORE = """\
*
!bundle.json
!processor.map.json
!processor.py
!requirements.lock
!wheels
"""


def render_dockerfile(capability: Capability) -> str:
    """Render the Dockerfile for a capability; its model id is plain by construction."""
    return _DOCKERFILE.format(model_id=capability.model_id)
