"""What a test needs beyond Python, and what several tests share."""

import os
import shutil
import socket
import subprocess
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples each time, so that a change of the code is what makes a test fail; HYPOTHESIS_PROFILE=explore looks
# for new ones. No deadline: how long an example takes is the machine's affair.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("explore", derandomize=False, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

ROOT = Path(__file__).parents[1]
CLIP = ROOT / "notebooks/clips/bigbuckbunny.mp4"
# `TESTS_REQUIRE=docker,browser,ffmpeg` makes a skip of tests with these markers a failure.
REQUIRE = "TESTS_REQUIRE"


@cache
def lacks_docker():
    if shutil.which("docker") is None:
        return "needs Docker: apt-get install docker.io"
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        return "needs a Docker engine that answers: start dockerd, and see what `docker info` says"
    return None


@cache
def lacks_browser():
    return None if shutil.which("chromium") else "needs Chromium: apt-get install chromium"


@cache
def lacks_ffmpeg():
    return None if shutil.which("ffmpeg") and shutil.which("ffprobe") else "needs ffmpeg: apt-get install ffmpeg"


NEEDS = {"docker": lacks_docker, "browser": lacks_browser, "ffmpeg": lacks_ffmpeg}


def required():
    return {name for name in os.environ.get(REQUIRE, "").split(",") if name}


def pytest_configure():
    if unknown := required() - NEEDS.keys():
        msg = f"{REQUIRE} names {', '.join(sorted(unknown))}; there is {', '.join(NEEDS)}"
        raise pytest.UsageError(msg)


def pytest_runtest_setup(item):
    for name, lacks in NEEDS.items():
        if item.get_closest_marker(name) and (reason := lacks()):
            pytest.skip(reason)


def pytest_collection_modifyitems(items):
    """Let the longest files begin first where processes share the files: the last ones end together."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        slow = {item.path for item in items if any(item.get_closest_marker(name) for name in ("slow", *NEEDS))}
        items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    names = [name for name in sorted(required()) if item.get_closest_marker(name)]
    if names and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{REQUIRE} names {', '.join(names)}, but this test was skipped: {call.excinfo.value}"
    return report


@pytest.fixture(scope="session")
def clip():
    return CLIP


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory):
    """The first 38 pictures of the example clip, 1.5 s, small, with their sound."""
    from clip_rig import shorten

    return shorten(CLIP, tmp_path_factory.mktemp("clips") / "short.mp4", seconds=1.5)


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
