import os
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.ffmpeg import command, describe
from benchmarks.source import make_source

pytestmark = pytest.mark.slow


@pytest.fixture
def source(clip, tmp_path):
    file = tmp_path / "source.ts"
    file.write_bytes(b"".join(picture.data for picture in make_source(clip, seconds=1)))
    return file


@pytest.fixture
def without_ffmpeg(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)


def test_the_binary_encodes_as_byoc_kit_does(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    words = " ".join(command(Path("a.ts"), is_live=True))
    assert "-c:v libx264 -preset superfast -tune zerolatency -crf 23 -threads 0" in words
    assert "-re -threads 0 -thread_type slice -i a.ts" in words
    assert "-re" not in command(Path("a.ts"), is_live=False)


def test_without_the_binary_pyav_does_it_and_is_named(without_ffmpeg):
    assert describe().startswith("PyAV 14.")
    assert command(Path("a.ts"), is_live=False)[1:] == ["-m", "benchmarks.reencode", "a.ts", "flat-out"]


def test_pyav_encodes_the_whole_file(without_ffmpeg, source):
    done = subprocess.run(command(source, is_live=False), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert os.path.getsize(source) > 0


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg on the path")
def test_the_binary_encodes_the_whole_file(source):
    done = subprocess.run(command(source, is_live=False), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ffmpeg version" in describe()
