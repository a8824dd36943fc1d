import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import byoc_kit

ROOT = Path(__file__).parents[1]


def lock_lines(name):
    return [line for line in (ROOT / name).read_text().splitlines() if not line.startswith("#")]


def pins(lines):
    return {canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in lines}


LOCK_LINES = lock_lines("requirements-dev.lock")
PINS = pins(LOCK_LINES)
PUBLISH_LINES = lock_lines("requirements-publish.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
DECLARED = [
    requirement
    for requirement in map(
        Requirement, PROJECT["dependencies"] + EXTRAS["notebook"] + EXTRAS["hub"] + EXTRAS["bench"] + EXTRAS["dev"]
    )
    if requirement.name != PROJECT["name"]
]


def all_needed(requirements):
    """Return the names of all that the requirements bring along, as the installed distributions declare it."""
    to_visit = list(requirements)
    visited = set()
    while to_visit:
        requirement = to_visit.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in visited:
            continue
        visited.add(key)
        for needed in map(Requirement, distribution(requirement.name).requires or []):
            extras = ["", *requirement.extras]
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                to_visit.append(needed)
    return {name for name, _ in visited}


@pytest.mark.parametrize("requirement", DECLARED, ids=str)
def test_the_lock_pins_what_pyproject_asks_for(requirement):
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])


def test_the_lock_is_pins_of_public_versions_and_nothing_else():
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line) for line in [*LOCK_LINES, *PUBLISH_LINES])


@pytest.mark.parametrize("requirement", [*map(Requirement, EXTRAS["docs"] + EXTRAS["dist"])], ids=str)
def test_what_builds_docs_and_distribution_is_pinned_with_the_environment(requirement):
    publish = pins(PUBLISH_LINES)
    assert requirement.specifier.contains(publish[canonicalize_name(requirement.name)])
    assert not publish.keys() & PINS.keys()


def test_the_lock_holds_all_that_is_needed_and_no_more():
    # a CUDA build of torch brings its libraries of its own
    of_torch = {"triton"} | {n for n in all_needed(DECLARED) if n.startswith(("cuda-", "nvidia-")) and n not in PINS}
    assert all_needed(DECLARED) - of_torch == PINS.keys()


def test_what_is_declared_is_what_the_package_runs_on():
    is_accepted = SpecifierSet(PROJECT["requires-python"]).contains
    minors = [f"3.{minor}" for minor in range(30)]
    assert tuple(filter(is_accepted, minors)) == byoc_kit.PYTHONS
    versions = [one.rpartition(" ")[2] for one in PROJECT["classifiers"] if "Python :: 3." in one]
    assert tuple(versions) == byoc_kit.PYTHONS


def test_conda_gets_the_python_of_the_lock_and_the_same_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert "for Python 3.11 on Linux" in (ROOT / "requirements-dev.lock").read_text()
    assert environment["dependencies"] == ["python=3.11", "pip", {"pip": ["-r requirements-dev.lock", "-e ."]}]
