from pathlib import Path

import pytest

from byoc_kit.image import buildah, docker, podman
from byoc_kit.image.build import ENGINES
from byoc_kit.image.engine import BuildPlan, ImageError, check_name, check_platform

LEAST = BuildPlan(Path("export/tint"), "byoc/tint:1")
MOST = BuildPlan(
    Path("export/tint"),
    "byoc/tint:1",
    base_image="base:2",
    no_index=True,
    indexes=("PIP_EXTRA_INDEX_URL",),
    platform="linux/arm64",
    is_pushed=True,
    save=Path("image.tar"),
)
ARGUMENTS = [
    *("--tag", "byoc/tint:1", "--build-arg", "BASE_IMAGE=base:2", "--build-arg", "PIP_NO_INDEX=1"),
    *("--build-arg", "PIP_EXTRA_INDEX_URL", "--platform", "linux/arm64", "export/tint"),
]


def test_docker_builds_pushes_and_saves():
    assert docker.argv(LEAST) == [["docker", "build", "--force-rm", "--tag", "byoc/tint:1", "export/tint"]]
    assert docker.argv(MOST) == [
        ["docker", "build", "--force-rm", *ARGUMENTS],
        ["docker", "push", "byoc/tint:1"],
        ["docker", "save", "--output", "image.tar", "byoc/tint:1"],
    ]


def test_podman_builds_pushes_and_saves():
    assert podman.argv(LEAST) == [["podman", "build", "--format", "docker", "--tag", "byoc/tint:1", "export/tint"]]
    assert podman.argv(MOST) == [
        ["podman", "build", "--format", "docker", *ARGUMENTS],
        ["podman", "push", "byoc/tint:1"],
        ["podman", "save", "--format", "docker-archive", "--output", "image.tar", "byoc/tint:1"],
    ]


def test_buildah_builds_pushes_and_saves():
    assert buildah.argv(LEAST) == [
        ["buildah", "build", "--format", "docker", "--layers", "--tag", "byoc/tint:1", "export/tint"]
    ]
    assert buildah.argv(MOST) == [
        ["buildah", "build", "--format", "docker", "--layers", *ARGUMENTS],
        ["buildah", "push", "byoc/tint:1"],
        ["buildah", "push", "byoc/tint:1", "docker-archive:image.tar:byoc/tint:1"],
    ]


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_is_found_and_asked_whether_it_works(fake_engine, name):
    engine = ENGINES[name]
    assert not engine.find()
    fake_engine("", name=name)
    assert engine.find()
    assert engine.probe() is None
    fake_engine("", info="exit 1", name=name)
    assert f"`{name} info`" in engine.probe()


def test_an_engine_that_never_answers_is_given_up(fake_engine, monkeypatch):
    fake_engine("", info="exec sleep 600")
    monkeypatch.setattr("byoc_kit.image.engine._ANSWERS_WITHIN_S", 0.2)
    assert docker.probe().startswith("the Docker engine does not answer; start it")


@pytest.mark.parametrize(
    "name", ["tint", "byoc/tint:latest", "localhost:5000/a/b__c-d:V1.0", "Registry.example.com/a", "a-b.c/d"]
)
def test_a_name_that_an_image_can_have(name):
    check_name(name)


@pytest.mark.parametrize("name", ["", "Tint", "byoc/Tint", "a b", "tint:", "-a", "a//b", "a:b:c", "--help", "a/../b"])
def test_a_name_that_no_image_can_have_is_refused(name):
    with pytest.raises(ImageError) as caught:
        check_name(name)
    assert str(caught.value) == (
        f"{name!r} cannot name an image; write it as in registry.example.com/team/model:1.0, in lower case"
    )


def test_a_platform_is_one_of_linux():
    check_platform("linux/amd64")
    check_platform("linux/arm/v7")
    for platform in ("windows/amd64", "arm64", "linux/amd64,linux/arm64"):
        with pytest.raises(ImageError, match="give one, such as linux/amd64"):
            check_platform(platform)
