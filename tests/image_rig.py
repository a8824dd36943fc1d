"""Fake container engines."""

import pytest


@pytest.fixture
def fake_engine(tmp_path, monkeypatch):
    """Put engines on the PATH, and no others, that know ``info`` and run ``script`` for all else."""
    programs = tmp_path / "engines"
    programs.mkdir()

    def put(script, *, info="exit 0", name="docker"):
        path = programs / name
        path.write_text(f'#!/bin/sh\nPATH=/bin:/usr/bin\nif [ "$1" = info ]; then {info}; fi\n{script}\n')
        path.chmod(0o755)

    monkeypatch.setenv("PATH", str(programs))
    return put
