import pytest

from byoc_kit.image.engine import ImageError
from byoc_kit.image.smoke import smoke_run

# What an engine does for a container that works; a test changes a part of it.
WELL = {
    "run": "exit 0",
    "exec": "cat > /dev/null; exit 0",
    "stop": "exit 0",
    "logs": "echo its log",
    "code": "echo 0",
    "status": "echo running 0",
}


@pytest.fixture
def engine(fake_engine, tmp_path):
    def put(**parts):
        does = WELL | parts
        fake_engine(
            f"""echo "$@" >> {tmp_path}/asked
            case "$*" in
            run*) {does["run"]};; exec*) {does["exec"]};; stop*) {does["stop"]};; logs*) {does["logs"]};;
            inspect*Status*) {does["status"]};; inspect*) {does["code"]};;
            esac"""
        )

    return put


@pytest.fixture
def asked(tmp_path):
    return lambda: (tmp_path / "asked").read_text().splitlines()


def test_an_image_runs_shut_off_gets_pictures_and_is_ended(engine, asked):
    engine()
    smoke_run("docker", "a:1")
    run, exec_, stop, inspect, remove = asked()
    name = stop.split()[-1]
    assert run == (
        f"run --detach --name {name} --network none --read-only --cap-drop ALL --security-opt no-new-privileges "
        "--no-healthcheck a:1"
    )
    assert exec_ == f"exec --interactive {name} python3 - http://127.0.0.1:8000 50"
    assert stop == f"stop --time 5 {name}"
    assert inspect.startswith("inspect --format {{.State.ExitCode}}")
    assert remove == f"rm --force {name}"


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"exec": "cat >/dev/null; echo picture 1 of 50: HTTP 500 >&2; exit 1"}, "picture 1 of 50: HTTP 500"),
        ({"exec": "exit 1", "status": "echo exited 2"}, "the container ended by itself with exit code 2"),
        ({"code": "echo 137"}, "it had not ended 5 s after SIGTERM"),
        ({"code": "echo 1"}, "it ended with exit code 1 after SIGTERM"),
    ],
)
def test_a_smoke_run_that_fails_says_why_and_leaves_no_container(engine, asked, capsys, parts, reason):
    engine(**parts)
    with pytest.raises(ImageError) as caught:
        smoke_run("docker", "a:1")
    assert str(caught.value) == (
        f"a:1 is built, but its smoke run failed: {reason}; see the container's last lines above, or build with "
        "--no-smoke"
    )
    assert capsys.readouterr().err == "  the container's last lines:\n  its log\n"
    assert asked()[-1].startswith("rm --force byoc-kit-smoke-")


def test_an_image_that_does_not_start_is_reported(engine, asked):
    engine(run="echo no such runtime >&2; exit 125")
    with pytest.raises(ImageError) as caught:
        smoke_run("docker", "a:1")
    assert str(caught.value) == "docker cannot run a:1: no such runtime; mend that, or build with --no-smoke"
    assert asked()[-1].startswith("rm --force byoc-kit-smoke-")
