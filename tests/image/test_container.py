import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
import uuid
import zipfile
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from byoc_kit import __version__
from byoc_kit.bundle.lock import parse_lock
from byoc_kit.cli import main
from byoc_kit.image import docker as docker_engine
from byoc_kit.image.build import ENGINES, build_image, deliver
from byoc_kit.image.container import require_base_image, require_engine, run_command
from byoc_kit.image.engine import BuildPlan, ImageError

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "green_tint.ipynb"
BASE = "byoc-kit-test-base:bookworm-py311"
PACKAGES = "ca-certificates,python3,python3-venv"
DEADLINE_S = 120


def docker(*arguments):
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {arguments}: {done.stderr}"
    return done.stdout.strip()


def byoc_kit(*arguments):
    """Run the command as its users do; returns its exit code and all it said."""
    done = subprocess.run(
        [sys.executable, "-m", "byoc_kit.cli", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def until(condition):
    """Return the first true result of ``condition``, asked for again until the deadline."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not (result := condition()):
        assert time.monotonic() < deadline_s, f"not within {DEADLINE_S} s: {condition.__name__}"
        time.sleep(0.02)
    return result


@pytest.fixture(scope="session")
def base_image(tmp_path_factory):
    """A base with Python 3.11, made once on a machine: images cannot be pulled everywhere, Debian packages can."""
    if subprocess.run(["docker", "image", "inspect", BASE], capture_output=True, check=False).returncode == 0:
        return BASE
    if shutil.which("mmdebstrap") is None:
        pytest.skip("needs a base image with Python 3.11: apt-get install mmdebstrap")
    archive = tmp_path_factory.mktemp("base") / "rootfs.tar"
    command = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(archive)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"needs a base image with Python 3.11, and mmdebstrap cannot make one: {made.stderr[-500:]}")
    docker("import", str(archive), BASE)
    archive.unlink()
    return BASE


@pytest.fixture
def base_of(base_image, tmp_path, monkeypatch):
    """Return the base image's name with an engine that is tested here, and what asks that engine."""
    settings = tmp_path / "containers.conf"
    settings.write_text('[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n')
    monkeypatch.setenv("CONTAINERS_CONF", str(settings))
    monkeypatch.setenv("BUILDAH_ISOLATION", "chroot")

    def get(engine):
        def ask(*arguments):
            done = subprocess.run([engine.NAME, *arguments], capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{engine.NAME} {arguments}: {done.stderr}"
            return done.stdout.strip()

        if not engine.find():
            pytest.skip(f"needs {engine.NAME}: apt-get install {engine.NAME}")
        if engine.NAME != "docker" and not ask("images", "--quiet", "--filter", f"reference={base_image}"):
            archive = tmp_path / "base.tar"
            docker("save", "--output", str(archive), base_image)
            ask("pull", f"docker-archive:{archive}")
        return base_image, ask

    return get


@pytest.fixture(scope="session")
def bundle(tmp_path_factory, base_image):
    folder = tmp_path_factory.mktemp("image") / "green_tint"
    assert main(["export", str(NOTEBOOK), "--output", str(folder), "--wheelhouse"]) == 0
    return folder


@pytest.fixture(scope="session")
def built(bundle, base_image):
    """The name of the bundle's image, and what its build said."""
    tag = f"byoc-kit-test:{uuid.uuid4().hex[:12]}"
    code, said = byoc_kit("build", bundle, "--tag", tag, "--base-image", base_image)
    assert code == 0, said
    yield tag, said
    docker("image", "rm", tag)


@pytest.fixture(scope="session")
def image(built):
    return built[0]


@pytest.fixture
def container(image, free_port):
    """The image as an orchestrator starts it: in the background, with nothing that it did not ask for."""
    name = f"byoc-kit-test-{uuid.uuid4().hex[:12]}"
    docker("run", "--detach", "--name", name, "--publish", f"127.0.0.1:{free_port}:8000", image)
    yield name, f"http://127.0.0.1:{free_port}"
    docker("rm", "--force", name)


def health(url):
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
    except OSError:
        return None


def build(bundle, **asked):
    """Build with Docker, and nothing more."""
    build_image(docker_engine, BuildPlan(bundle, **asked), model_id="green-tint")


@pytest.mark.docker
def test_the_container_loads_then_is_healthy_and_ends_in_the_grace_of_an_orchestrator(container):
    name, url = container
    answers = []

    def is_ready():
        answer = health(url)
        if answer and answer not in answers:
            answers.append(answer)
        return answer and answer[0] == 200

    until(is_ready)
    assert answers == [(503, {"status": "loading"}), (200, {"status": "ok"})]
    until(lambda: docker("inspect", "--format", "{{.State.Health.Status}}", name) == "healthy")
    assert docker("exec", name, "id", "--user") == "1000"

    docker("stop", "-t", "8", name)
    # 137 would be the kill at the end of the grace
    assert docker("inspect", "--format", "{{.State.ExitCode}}", name) == "0"


@pytest.mark.docker
def test_a_build_says_what_its_size_is_made_of_and_runs_the_image(built):
    _, said = built
    assert re.search(r"size  layer\n.*the base image\n.*/opt/venv.*\n.*the image\n", said)
    assert re.search(r"size  package\n *[\d.]+ [MG]B  torch\n", said)
    assert "smoke run: 50 pictures came back, and SIGTERM ended it\nbuilt byoc-kit-test:" in said


@pytest.mark.docker
def test_who_runs_the_image_reads_the_bundle_and_cannot_change_it(image):
    modes = docker("run", "--rm", image, "stat", "-c", "%U %a", "/app/processor.py", "/app/bundle.json")
    assert modes.split("\n") == ["root 444", "root 444"]
    assert docker("run", "--rm", image, "sh", "-c", "test -w /app -o -w /app/processor.py || echo closed") == "closed"


@pytest.mark.docker
def test_the_image_brings_no_test_tools_and_no_opencv(image):
    listed = json.loads(docker("run", "--rm", image, "pip", "list", "--format", "json", "--disable-pip-version-check"))
    names = {distribution["name"].lower() for distribution in listed}
    assert {"byoc-kit", "pytrickle", "torch"} <= names
    assert not {name for name in names if "pytest" in name or "opencv" in name}


@pytest.mark.docker
def test_the_wheels_are_no_layer_of_the_image(image):
    but_debians = ["-path", "/usr", "-prune", "-o"]
    find = ["find", "/", "-xdev", *but_debians, "-name", "*.whl", "-print"]
    assert not docker("run", "--rm", "--user", "root", image, *find)
    made_by = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image)
    assert "wheels" not in made_by
    assert "pip install" not in made_by


@pytest.mark.docker
def test_what_is_installed_is_what_is_locked(bundle, image):
    listed = docker("run", "--rm", image, "pip", "list", "--format", "freeze", "--disable-pip-version-check")
    installed = {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in listed.splitlines()}
    locked = {pin.name: pin.version for pin in parse_lock((bundle / "requirements.lock").read_text())}
    assert locked.items() <= installed.items()
    assert installed.keys() - locked.keys() <= {"byoc-kit", "pip", "setuptools"}


@pytest.mark.docker
def test_a_wheel_of_other_bytes_than_were_locked_is_not_installed(bundle, base_image, tmp_path, capfd):
    other = tmp_path / "green_tint"
    shutil.copytree(bundle, other)
    lock = other / "requirements.lock"
    lock.write_text(re.sub(r"(?<=idna==)(.*\n.*sha256:)[0-9a-f]{64}", r"\g<1>" + "0" * 64, lock.read_text()))
    with pytest.raises(ImageError, match="docker build ended with exit code 1"):
        build(other, tag="byoc-kit-test:other", base_image=base_image, no_index=True)
    said = capfd.readouterr()
    assert "DO NOT MATCH THE HASHES" in said.out + said.err


@pytest.mark.docker
def test_verify_streams_the_clip_through_the_image(bundle, image, clip, tmp_path):
    limits = ["--min-frames", "0.5", "--min-psnr", "30"]  # other tests may keep this machine busy
    code, said = byoc_kit("verify", bundle, "--image", image, "--clip", clip, "--report", tmp_path, *limits)
    assert code == 0, said
    assert "all met" in said
    assert "exit code 0 in" in said
    assert re.search(r"\nnotebook +132 of 132 ", said)
    assert re.search(r"\nmodule +132 of 132 +0 ", said)
    assert re.search(r"\nserver over trickle +\d+ of 132 +\d+\.\d dB ", said)
    assert re.search(r"\ncontainer +\d+ of 132 +\d+\.\d dB +0\.\d+ +\d+ ms +\d+ ms +\d+ of them compared ", said)
    assert "<th>container</th>" in (tmp_path / "report.html").read_text()
    assert not docker("ps", "--all", "--quiet", "--filter", f"ancestor={image}")


@pytest.mark.docker
def test_a_container_that_is_killed_in_mid_stream_takes_nothing_that_is_proven_with_it(bundle, image, clip, tmp_path):
    arguments = ["verify", bundle, "--image", image, "--clip", clip, "--report", tmp_path]
    arguments += ["--skip-notebook", "--skip-server"]
    command = [sys.executable, "-m", "byoc_kit.cli", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as verifying:
        url = next(found[1] for line in verifying.stderr if (found := re.match(r"waiting for (.*)/health", line)))

        def has_frames():
            try:
                with urllib.request.urlopen(f"{url}/stream/status", timeout=5) as answer:
                    streams = json.load(answer).get("streams")
            except OSError:  # a 503 while it loads, too
                return False
            return bool(streams) and streams[0].get("frames_encoded", 0) > 0

        until(has_frames)
        docker("kill", docker("ps", "--quiet", "--filter", f"ancestor={image}"))
        said, _ = verifying.communicate(timeout=DEADLINE_S)
    assert verifying.returncode == 1, said
    assert re.search(r"\nmodule +132 of 132 ", said)
    assert re.search(r"\ncontainer .* the container ended with exit code 137, which is SIGKILL", said)
    assert re.search(r"the container's last lines:\n(  .*\n)*  .* INFO ready\n", said)
    assert "exit code 137, which is SIGKILL" in (tmp_path / "report.html").read_text()
    assert not docker("ps", "--all", "--quiet", "--filter", f"ancestor={image}")


@pytest.mark.docker
def test_a_changed_processor_installs_nothing_again(bundle, image, base_image, tmp_path, capsys):
    changed = tmp_path / "green_tint"
    shutil.copytree(bundle, changed)
    with (changed / "processor.py").open("a") as processor:
        processor.write("# changed\n")
    tag = f"{image}-changed"
    build(changed, tag=tag, base_image=base_image, no_index=True)
    docker("image", "rm", tag)
    said = capsys.readouterr().err
    assert "Using cache" in said
    assert "Successfully installed" not in said


@pytest.mark.docker
def test_another_kit_installs_nothing_else_again(bundle, image, base_image, tmp_path, capsys):
    changed = tmp_path / "green_tint"
    shutil.copytree(bundle, changed)
    (wheel,) = (changed / "wheels").glob("byoc_kit-*.whl")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.comment = uuid.uuid4().bytes  # an engine that outlives the tests has the build of the same bytes cached
    tag = f"{image}-other-kit"
    build(changed, tag=tag, base_image=base_image, no_index=True)
    docker("image", "rm", tag)
    said = capsys.readouterr().err
    assert [line.split()[2] for line in said.splitlines() if line.startswith("Successfully installed")] == [
        f"byoc-kit-{__version__}"
    ]


DOCKERFILE = (
    "ARG BASE_IMAGE\nFROM ${{BASE_IMAGE}} AS build\nLABEL byoc-kit.model={0}\nRUN echo {1} > /x\n"
    "FROM ${{BASE_IMAGE}}\nLABEL byoc-kit.model={0}\nCOPY --from=build /x /\n"
)


@pytest.mark.docker
@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_builds_one_after_the_other_leave_no_untagged_images_and_the_newest_cache(engine, base_of, tmp_path):
    base, ask = base_of(engine)
    model, tag = f"tint-{uuid.uuid4().hex[:8]}", f"byoc-kit-test:{uuid.uuid4().hex[:12]}"
    label = ["--filter", f"label=byoc-kit.model={model}"]
    plan = BuildPlan(tmp_path, tag, base_image=base, save=tmp_path / "image.tar")
    try:
        for number in range(2):
            (tmp_path / "Dockerfile").write_text(DOCKERFILE.format(model, number))
            build_image(engine, plan, model_id=model)
        assert not ask("images", "--quiet", "--filter", "dangling=true", *label)
        assert len(set(ask("images", "--quiet", *label).split())) == 2  # the image, and its first stage
        (tmp_path / "Dockerfile").write_text(DOCKERFILE.format(model, "2 && exit 3"))
        with pytest.raises(ImageError, match=f"{engine.NAME} build ended with exit code"):
            build_image(engine, plan, model_id=model)
        assert not ask("images", "--quiet", "--filter", "dangling=true", *label)
        deliver(engine, plan)
        with tarfile.open(plan.save) as saved:
            assert tag in saved.extractfile("manifest.json").read().decode()
    finally:
        ask("rmi", "--force", *set(ask("images", "--quiet", *label).split()))


@pytest.mark.docker
def test_a_failed_build_shows_its_last_lines_and_its_exit_code(bundle, base_image, tmp_path):
    broken = tmp_path / "green_tint"
    shutil.copytree(bundle, broken, ignore=shutil.ignore_patterns("wheels"))
    (broken / "Dockerfile").write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN echo famous last words && exit 3\n")
    code, said = byoc_kit("build", broken, "--tag", "byoc-kit-test:broken", "--base-image", base_image)
    assert code == 2
    before, _, ending = said.partition("byoc-kit: ")
    assert re.fullmatch(r"docker build ended with exit code \d+; fix what its last lines say, above\n", ending)
    assert "famous last words" in before
    assert "returned a non-zero code: 3" in before


@pytest.mark.docker
def test_an_image_that_is_not_there_is_named_with_what_makes_it_before_anything_is_run(bundle, clip):
    code, said = byoc_kit("verify", bundle, "--image", "byoc-kit-test:none", "--clip", clip)
    assert code == 2
    assert said == "byoc-kit: there is no image byoc-kit-test:none; build it with `byoc-kit build BUNDLE`\n"


def test_run_publishes_the_port_on_one_address_and_names_this_machine():
    assert run_command("byoc/a:latest", port=9000, name="a") == [
        *("docker", "run", "--rm", "--init", "--publish", "127.0.0.1:9000:8000"),
        *("--add-host", "host.docker.internal:host-gateway", "--name", "a", "byoc/a:latest"),
    ]


def test_run_gives_the_image_the_settings_of_this_environment_and_gpus(monkeypatch):
    for name in [name for name in os.environ if name.startswith("BYOC_KIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BYOC_KIT_ENCODER", "auto")
    monkeypatch.setenv("BYOC_KIT_CACHE_NOTES", "1")  # no setting of the container
    command = run_command("byoc/a:latest", port=9000, gpus="all")
    assert command[-5:] == ["--env", "BYOC_KIT_ENCODER", "--gpus", "all", "byoc/a:latest"]
    assert command.count("--env") == 1


@pytest.mark.parametrize("secret", ["token", "orchestrator_secret"])
def test_run_gives_the_image_the_file_with_a_secret_and_not_what_is_in_it(monkeypatch, tmp_path, secret):
    variable, inside = f"BYOC_KIT_{secret.upper()}_FILE", f"/run/secrets/byoc_kit_{secret}"
    monkeypatch.setenv(variable, str(tmp_path / "secret"))
    command = run_command("byoc/a:latest", port=9000, host="::1")
    assert "[::1]:9000:8000" in command
    assert f"type=bind,source={tmp_path}/secret,target={inside},readonly" in command
    assert f"{variable}={inside}" in command


def test_a_missing_docker_is_reported_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImageError) as caught:
        require_engine()
    assert str(caught.value) == "there is no `docker` on the PATH; install Docker Engine, or serve without --image"


def test_running_an_image_says_the_address_that_answers(fake_engine, capfd, tmp_path):
    fake_engine('[ "$1" = image ] || echo ran')
    code = subprocess.run(
        [
            sys.executable,
            "-c",
            "from byoc_kit.image.container import run_image; run_image('a:1', host='0.0.0.0', port=8077)",
        ],
        check=False,
    ).returncode
    said = capfd.readouterr()
    assert (code, said.out) == (0, "ran\n")
    assert said.err == "a:1 answers at http://localhost:8077 once it has loaded; Ctrl-C ends it\n"


def test_a_base_image_that_is_here_is_not_pulled(fake_engine):
    fake_engine('[ "$1" = image ]')
    require_base_image("base:1")


def test_a_base_image_that_cannot_be_pulled_is_reported(fake_engine):
    fake_engine('[ "$1" = pull ] && echo no such host; exit 1')
    with pytest.raises(ImageError) as caught:
        require_base_image("base:1")
    assert str(caught.value) == (
        "the base image base:1 is not here and cannot be pulled; name one that is: make demo BASE_IMAGE=NAME, or "
        "byoc-kit demo --base-image NAME"
    )
