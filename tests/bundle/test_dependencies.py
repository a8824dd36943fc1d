from importlib.metadata import distribution, version

import pytest
from wheel_rig import install, site

from byoc_kit.bundle.lock import LockError, make_lock, parse_lock

pytestmark = pytest.mark.slow

__all__ = ["install", "site"]


def plain(*names, **options):
    """Lock without hashes."""
    return make_lock(names, NOWHERE, with_hashes=False, **options)


NOWHERE = distribution("pip").locate_file("no such folder")


def pins(lock):
    return {pin.name: pin.version for pin in parse_lock(lock.text)}


def test_only_pytrickle_is_without_what_it_declares(install):
    install("fake-async", "fake_async", "uvloop")
    lock = plain("fake_async")
    assert pins(lock)["uvloop"] == version("uvloop")
    assert "#   uvloop:" not in lock.text


def test_names_are_canonical_and_versions_those_that_are_installed(install):
    install("Fake_Blur", "fake_blur", version="1.2+cpu")
    assert pins(plain("fake_blur"))["fake-blur"] == "1.2+cpu"


def test_requirements_are_followed_through_extras_and_markers(install):
    install("fake-a", "fake_a", "fake-b[fast]", "fake-no; sys_platform == 'plan9'", "fake-no; extra == 'docs'")
    install("fake-b", "fake_b", "fake-c; extra == 'fast'")
    install("fake-c", "fake_c", "fake-a", "nvidia-fake-cu12")
    install("nvidia-fake-cu12", "", files=["nvidia/fake/__init__.py"])
    locked = plain("fake_a")
    assert {name for name in pins(locked) if "fake" in name} == {"fake-a", "fake-b", "fake-c", "nvidia-fake-cu12"}
    (fake_c,) = (one for one in locked.locked if one.name == "fake-c")
    assert fake_c.needed.needs == ("fake-a", "nvidia-fake-cu12")


def test_a_distribution_that_lacks_what_it_needs_is_named(install):
    install("fake-a", "fake_a", "fake-gone>=2")
    with pytest.raises(LockError, match="fake-gone is needed but not installed"):
        plain("fake_a")
