import pytest
from command_rig import SOUND, run, write  # noqa: F401

from byoc_kit.image import docker
from byoc_kit.image.build import build_image, check_plan, choose_engine, deliver
from byoc_kit.image.engine import BuildPlan, ImageError

OWN_WHEELS = "collect the wheels here with `byoc-kit export NOTEBOOK --wheelhouse`, and build again"


@pytest.fixture
def plan(tmp_path):
    return BuildPlan(tmp_path, "a:1")


def test_auto_takes_the_first_engine_that_works(fake_engine):
    fake_engine("", info="exit 1", name="docker")
    fake_engine("", name="buildah")
    assert choose_engine().NAME == "buildah"
    fake_engine("", name="podman")
    assert choose_engine().NAME == "podman"
    assert choose_engine("buildah").NAME == "buildah"


def test_no_engine_is_said_with_what_to_do(fake_engine):
    with pytest.raises(ImageError) as caught:
        choose_engine()
    assert str(caught.value) == "there is no `docker` or `podman` or `buildah` on the PATH; install one of them"
    with pytest.raises(ImageError) as caught:
        choose_engine("podman")
    assert str(caught.value) == ("there is no `podman` on the PATH; install it, or let `--engine auto` choose another")


def test_an_engine_that_does_not_run_is_said_with_what_to_do(fake_engine):
    fake_engine("", info="exit 1")
    with pytest.raises(ImageError) as caught:
        choose_engine()
    assert str(caught.value) == "the Docker engine does not answer; start it, and see what `docker info` says"


def test_what_a_failed_build_advises_comes_after_what_the_build_said(fake_engine, plan, capsys):
    fake_engine('[ "$1" = build ] || exit 0; seq 40; exit 7')
    with pytest.raises(ImageError) as caught:
        build_image(docker, plan, model_id="a")
    assert str(caught.value) == "docker build ended with exit code 7; fix what its last lines say, above"
    assert capsys.readouterr().err == "".join(f"{number}\n" for number in range(1, 41))


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("pull access denied for python, repository does not exist", "name one that is with --base-image"),
        ("ERROR: No matching distribution found for torch==2.13.0", OWN_WHEELS),
        ("Temporary failure in name resolution", OWN_WHEELS),
        ("write /var/lib/x: no space left on device", "such as with `docker image prune`, and build again"),
        ("/bin/sh: 1: python3: not found", "name one that has both with --base-image"),
        ("exec /bin/sh: exec format error", "install qemu-user-static and a base for it"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "export again, on the platform that the image is for"),
        ("ERROR: a.whl is not a supported wheel on this platform.", "export on the image's platform"),
        ("denied: requested access to the resource is denied", "check that the image's name is yours"),
        ("Error: cannot clone: Operation not permitted", "try BUILDAH_ISOLATION=chroot"),
    ],
)
def test_a_failed_build_says_what_helps(fake_engine, plan, line, advice):
    fake_engine(f'[ "$1" = build ] || exit 0; echo "{line}"; exit 1')
    with pytest.raises(ImageError) as caught:
        build_image(docker, plan, model_id="a")
    assert str(caught.value).endswith(advice)


def test_a_base_of_another_python_is_suspected_where_the_bundle_has_all_wheels(fake_engine, tmp_path):
    fake_engine('[ "$1" = build ] || exit 0; echo "ERROR: No matching distribution found for av==14.2.0"; exit 1')
    with pytest.raises(ImageError, match=r"wheels are for another Python or platform than the base; name a base with"):
        build_image(docker, BuildPlan(tmp_path, "a:1", no_index=True), model_id="a")


def test_an_image_is_saved_as_a_whole_or_not_at_all(fake_engine, tmp_path):
    plan = BuildPlan(tmp_path, "a:1", save=tmp_path / "image.tar")
    fake_engine('echo half > "$3"; exit 1')
    with pytest.raises(ImageError, match="docker save ended with exit code 1"):
        deliver(docker, plan)
    assert not list(tmp_path.glob("*image.tar*"))
    assert not list(tmp_path.glob(".*image.tar*"))
    fake_engine('echo whole > "$3"')
    deliver(docker, plan)
    assert plan.save.read_text() == "whole\n"
    assert not list(tmp_path.glob(".*image.tar*"))


def test_where_an_image_cannot_be_saved_is_said_before_anything_is_built(tmp_path):
    for save in (tmp_path, tmp_path / "none" / "image.tar"):
        with pytest.raises(ImageError, match=r"cannot write .*; let --save name a file in a folder"):
            check_plan(BuildPlan(tmp_path, "a:1", save=save))


@pytest.fixture
def bundle(run, write):  # noqa: F811
    write(*SOUND)
    assert run("export", "effects.ipynb")[0] == 0
    return "export/effects"


def test_the_commands_of_a_dry_run_are_printed_and_none_is_run(bundle, run, fake_engine, monkeypatch, tmp_path):  # noqa: F811
    fake_engine("exit 9", name="podman")
    for wheel in (tmp_path / bundle).glob("wheels/byoc_kit-*"):
        wheel.unlink()
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://me:secret@index.example")
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    code, out, err = run("build", bundle, "--dry-run", "--push", "--save", "an image.tar", "--tag", "a:1")
    assert (code, err) == (0, "")
    assert out == (
        "podman build --format docker --tag a:1 --build-arg PIP_EXTRA_INDEX_URL export/effects\n"
        "podman push a:1\n"
        "podman save --format docker-archive --output 'an image.tar' a:1\n"
    )
    assert not list((tmp_path / bundle).glob("wheels/byoc_kit-*"))


@pytest.fixture
def asked(fake_engine, tmp_path):
    """An engine for which all goes well, and what it was asked."""

    def put(name="docker"):
        fake_engine(
            f"""echo "$1" >> {tmp_path}/asked
            case "$*" in
            save*) echo image > "$3";; image*Arch*) echo linux/amd64;;
            image*) echo 2000000000;; run*-c*) echo 1500000000 torch;; inspect*) echo 0;;
            exec*) cat > /dev/null;;
            esac""",
            name=name,
        )
        return lambda: [word for word in (tmp_path / "asked").read_text().split() if word in NOTED]

    return put


NOTED = {"build", "exec", "push", "save"}


def test_an_image_is_measured_and_run_and_then_pushed_and_saved(bundle, run, asked, tmp_path):  # noqa: F811
    commands = asked()
    code, out, _ = run("build", bundle, "--push", "--save", "image.tar", "--max-size", "2GB")
    assert code == 0
    assert "1.50 GB  torch\n" in out
    assert out.endswith("smoke run: 50 pictures came back, and SIGTERM ended it\nbuilt byoc/tint:latest\n")
    assert commands() == ["build", "exec", "push", "save"]
    assert (tmp_path / "image.tar").read_text() == "image\n"


def test_an_image_is_not_run_where_nobody_wants_it(bundle, run, asked):  # noqa: F811
    commands = asked()
    assert run("build", bundle, "--no-smoke")[0] == 0
    assert commands() == ["build"]


def test_an_image_that_is_too_large_is_not_handed_on(bundle, run, asked):  # noqa: F811
    commands = asked()
    code, _, err = run("build", bundle, "--push", "--max-size", "1.9GB")
    assert code == 2
    assert "byoc/tint:latest is 2.00 GB, more than the 1.90 GB of --max-size" in err
    assert commands() == ["build"]


def test_an_image_of_another_platform_is_not_handed_on(bundle, run, asked):  # noqa: F811
    commands = asked()
    assert run("build", bundle, "--no-smoke", "--platform", "linux/amd64", "--push")[0] == 0
    assert commands() == ["build", "push"]
    code, _, err = run("build", bundle, "--no-smoke", "--platform", "linux/arm64", "--push")
    assert (code, commands()[2:]) == (2, ["build"])
    assert err.endswith(
        "byoc/tint:latest is built for linux/amd64, not for linux/arm64; name a base of that platform with "
        "--base-image\n"
    )


def test_buildah_alone_says_what_it_leaves_out(bundle, run, asked):  # noqa: F811
    commands = asked("buildah")
    code, out, _ = run("build", bundle)
    assert code == 0
    assert "buildah runs no images, and there is no `podman` beside it" in out
    code, _, err = run("build", bundle, "--max-size", "2GB")
    assert (code, commands()) == (2, ["build"])
    assert err.startswith("byoc-kit: --max-size needs Docker or Podman")


def test_podman_runs_what_buildah_built(bundle, run, asked):  # noqa: F811
    asked("podman")
    commands = asked("buildah")
    assert run("build", bundle, "--engine", "buildah")[0] == 0
    assert commands() == ["build", "exec"]


def test_a_name_that_no_image_can_have_is_refused_before_anything_is_done(bundle, run, fake_engine):  # noqa: F811
    code, _, err = run("build", bundle, "--tag", "Effects")
    assert code == 2
    assert err.startswith("byoc-kit: 'Effects' cannot name an image; write it as in ")
