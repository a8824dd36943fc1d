import os
import subprocess
from pathlib import Path

import pytest

from byoc_kit.commands.demo import demo, plan_steps


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


def test_make_takes_the_base_image_from_the_environment_too():
    makefile = Path(__file__).parents[2] / "Makefile"
    command = ["make", "--dry-run", "--file", str(makefile), "--assume-old", ".venv/made", "demo"]
    said = subprocess.check_output(command, text=True, cwd=makefile.parent, env={**os.environ, "BASE_IMAGE": "mine:1"})
    assert "byoc-kit demo notebooks/green_tint.ipynb --base-image mine:1\n" in said
