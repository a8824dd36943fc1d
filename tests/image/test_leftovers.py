import pytest

from byoc_kit.image.leftovers import BuiltImages

OWN, CACHED = "0123456789ab" + "0" * 52, "ba9876543210" + "1" * 52
OTHER, FORMER = "cccccccccccc" + "2" * 52, "dddddddddddd" + "3" * 52


@pytest.fixture
def asked(fake_engine, tmp_path):
    """An engine that has three untagged images and a named stage of an earlier build, and notes what it is to do."""
    notes = tmp_path / "asked"
    fake_engine(
        f"""case "$*" in
        *dangling*) echo sha256:{OWN}; echo sha256:{CACHED}; echo sha256:{OTHER}; echo sha256:{FORMER};;
        *--format*) echo byoc-kit-cache/tint:old sha256:{OTHER}; echo byoc/tint:1 sha256:{OTHER};;
        *--quiet*) echo sha256:{FORMER};;
        *) echo "$@" >> {notes};;
        esac"""
    )
    return lambda: notes.read_text().splitlines() if notes.exists() else []


@pytest.fixture
def built():
    built = BuiltImages("docker", "tint", "byoc/tint:1")
    for line in (f" ---> {OWN[:12]}", "Step 2/3 : RUN true", " ---> Using cache", f" ---> {CACHED[:12]}"):
        built.hear(f"{line}\n")
    return built


def test_the_stages_of_a_build_get_a_name_in_place_of_those_of_the_last(asked, built):
    built.tidy(is_cache=True)
    assert asked() == [
        f"rmi {FORMER}",
        f"tag {OWN} byoc-kit-cache/tint:{OWN[:12]}",
        f"tag {CACHED} byoc-kit-cache/tint:{CACHED[:12]}",
        "rmi byoc-kit-cache/tint:old",
    ]


def test_a_failed_build_leaves_nothing_that_it_made(asked, built):
    built.tidy(is_cache=False)
    assert asked() == [f"rmi {FORMER}", f"rmi {OWN}"]


def test_a_build_that_names_no_images_leaves_all_as_they_are(asked):
    BuiltImages("docker", "tint", "byoc/tint:1").tidy(is_cache=True)
    assert asked() == [f"rmi {FORMER}"]


@pytest.mark.parametrize("line", [f"--> {OWN[:11]}", f"--> Using cache {OWN}"])
def test_podman_and_buildah_name_images_in_their_own_way(asked, line):
    built = BuiltImages("docker", "tint", "byoc/tint:1")
    built.hear(line)
    built.tidy(is_cache=True)
    assert asked()[1] == f"tag {OWN} byoc-kit-cache/tint:{OWN[:12]}"
