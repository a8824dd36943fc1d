import argparse
import os
import subprocess
from pathlib import Path

import pytest

from byoc_kit.commands import build
from byoc_kit.commands.demo import add_parser, demo, plan_steps


@pytest.mark.parametrize(("base_image", "base"), [(None, ()), ("mine:1", ("--base-image", "mine:1"))])
def test_the_steps_are_the_commands_that_anyone_would_type(base_image, base):
    local, image = plan_steps(Path("notebooks/a.ipynb"), base_image=base_image)
    assert [step.arguments for step in local] == [
        ("export", "notebooks/a.ipynb"),
        ("verify", "export/a", "--report", "reports/a"),
    ]
    assert [step.arguments for step in image] == [
        ("export", "notebooks/a.ipynb", "--wheelhouse"),
        ("build", "export/a", *base),
        ("verify", "export/a", "--report", "reports/a_image", "--image", "--skip-server"),
    ]


def test_nothing_follows_a_step_that_failed(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert demo(Path("none.ipynb")) == 2
    assert capfd.readouterr().out.splitlines() == [
        "",
        "[1/5] export the notebook: byoc-kit export none.ipynb",
        "",
        "export the notebook  failed with exit code 2",
    ]


@pytest.mark.parametrize("command", ["demo notebooks/a.ipynb", "build export/a"])
@pytest.mark.parametrize(
    ("environment", "options", "base"),
    [(None, "", None), ("", "", None), ("mine:1", "", "mine:1"), ("mine:1", " --base-image other:2", "other:2")],
)
def test_the_base_image_may_come_from_the_environment(monkeypatch, command, environment, options, base):
    monkeypatch.delenv("BASE_IMAGE", raising=False)
    if environment is not None:
        monkeypatch.setenv("BASE_IMAGE", environment)
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    build.add_parser(commands)
    add_parser(commands)
    assert parser.parse_args((command + options).split()).base_image == base


@pytest.mark.parametrize("way", ["argument", "environment"])
def test_make_gives_the_base_image_to_the_command(way):
    makefile = Path(__file__).parents[2] / "Makefile"
    command = ["make", "--silent", "--file", str(makefile), "--eval", "show: ; echo $$BASE_IMAGE", "show"]
    environment = {**os.environ, "BASE_IMAGE": "mine:1"}
    if way == "argument":
        command, environment = [*command, "BASE_IMAGE=mine:1"], {**os.environ}
    assert subprocess.check_output(command, text=True, cwd=makefile.parent, env=environment) == "mine:1\n"
