import json
import sys
from pathlib import Path

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, plan_file

from byoc_kit.bundle.drift import drift
from byoc_kit.bundle.plan import write
from byoc_kit.bundle.sync import SyncError, sync
from byoc_kit.cli import main
from byoc_kit.core.bundle_reader import BundleError
from byoc_kit.errors import ByocKitError
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.notebook_file import read_notebook

sync_module = sys.modules["byoc_kit.bundle.sync"]
SCALE = "%%time\nimport os\n\nSCALE = 2  # twice\n\nimport sys\ndef scaled(x):\n    return x * SCALE\n"


class Exported:
    """A notebook and its bundle."""

    def __init__(self, path, folder):
        self.path, self.folder = path, folder
        self.export()

    def export(self):
        write(plan_file(self.path, self.folder))

    @property
    def module(self):
        return (self.folder / "processor.py").read_text()

    def edit(self, old, new):
        assert self.module.count(old) == 1
        (self.folder / "processor.py").write_text(self.module.replace(old, new))

    def sources(self):
        return [cell.source for cell in read_notebook(self.path).cells]

    def edit_cell(self, number, source):
        document = json.loads(self.path.read_text())
        document["cells"][number - 1]["source"] = source
        self.path.write_text(json.dumps(document))


@pytest.fixture
def exported(write_notebook, tmp_path):
    cells = [("markdown", "# T"), ("byoc", SCALE), ("", "x"), ("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)]
    return Exported(write_notebook(cells=cells), tmp_path / "effects")


@pytest.fixture
def nothing_is_written(exported):
    """What is refused changes neither the notebook nor the bundle."""

    def state():
        return exported.path.read_bytes(), sorted((p.name, p.read_bytes()) for p in exported.folder.iterdir())

    class Watch:
        def __enter__(self):
            self.before = state()

        def __exit__(self, *_):
            assert state() == self.before

    return Watch()


def test_without_an_edit_nothing_is_written(exported, nothing_is_written):
    with nothing_is_written:
        assert sync(exported.folder).cells == []


def test_an_edit_goes_back_to_its_cell_and_the_bundle_is_exported_again(exported):
    exported.edit("    return x * SCALE", "    y = x * SCALE\n    return y + 1")
    exported.edit("    return frame", "    return None")
    exported.edit("SCALE = 2  # twice", "# three times\nSCALE = 3")
    edited = exported.module
    assert [cell.number for cell in sync(exported.folder).cells] == [2, 5]
    sources = exported.sources()
    assert sources[1] == (
        "%%time\nimport os\n\n# three times\nSCALE = 3\n\nimport sys\n"
        "def scaled(x):\n    y = x * SCALE\n    return y + 1"
    )
    assert sources[4] == "def process_frame(frame):\n    return None"
    assert exported.module == edited
    assert sync(exported.folder).cells == []


@pytest.mark.parametrize(
    ("old", "new", "cell"),
    [
        ("SCALE = 2  # twice\n\n", "", "%%time\nimport os\n\nimport sys\ndef scaled(x):\n    return x\n"),
        ("SCALE = 2  # twice\n", "SCALE = 2  # twice\nMORE = 1\n", None),
        ("def scaled(x):", "ABOVE = 1\ndef scaled(x):", None),
        ("SCALE = 2  # twice", "FIRST = 0\nSCALE = 2  # twice", None),
        ("    return x * SCALE", "    return x * SCALE\n\n\nLAST = 4", None),
    ],
)
def test_lines_come_and_go_around_what_the_module_does_not_show(exported, old, new, cell):
    exported.edit("    return x * SCALE", "    return x") if cell else None
    exported.edit(old, new)
    edited = exported.module
    sync(exported.folder)
    source = exported.sources()[1]
    assert source.startswith("%%time\nimport os\n")
    assert source.count("import sys") == 1
    assert exported.module == edited
    if cell:
        assert source.rstrip("\n") == cell.rstrip("\n")


def test_imports_that_come_and_go(exported):
    exported.edit("import os\n", "import math\nimport os\nfrom pathlib import Path, PurePath\n")
    exported.edit("import sys\n", "")
    edited = exported.module
    assert [cell.number for cell in sync(exported.folder).cells] == [2]
    source = exported.sources()[1]
    assert "import sys" not in source
    assert source.startswith("%%time\nimport os\n")
    assert "import math\nfrom pathlib import Path, PurePath\n" in source
    assert exported.module == edited


def test_an_import_into_a_notebook_that_has_none_goes_to_the_first_cell(write_notebook, tmp_path):
    cells = [("byoc", "%%time\nx = 1"), ("byoc", "import byoc_kit  # kept\n" + CAPABILITY.replace("from", "# a\nfrom"))]
    it = Exported(write_notebook(cells=[*cells, ("byoc", PROCESS_FRAME)]), tmp_path / "e")
    it.edit("# %% cell 1 (", "import math\n# %% cell 1 (")
    sync(it.folder)
    assert it.sources()[0] == "%%time\nimport math\n\nx = 1"


def test_edits_of_different_cells_on_both_sides_meet(exported):
    exported.edit("    return frame", "    return None")
    exported.edit_cell(2, SCALE.replace("twice", "doubled"))
    sync(exported.folder)
    assert "doubled" in exported.module
    assert exported.sources()[4].endswith("return None")


def test_a_cell_that_changed_on_both_sides_is_refused(exported, nothing_is_written):
    exported.edit("    return frame", "    return None")
    exported.edit_cell(5, PROCESS_FRAME + "  # mine")
    with nothing_is_written, pytest.raises(SyncError) as caught:
        sync(exported.folder)
    assert str(caught.value) == (
        "cell 5 (process_frame) changed in effects.ipynb and in processor.py since the export; keep your edit "
        "elsewhere, export with --force, and edit the notebook"
    )


def test_what_changed_on_both_sides_is_shown(exported, capsys):
    exported.edit("    return frame", "    return None")
    exported.edit_cell(5, PROCESS_FRAME + "  # mine")
    assert main(["sync", str(exported.folder)]) == 2
    diff, _, said = capsys.readouterr().err.partition("byoc-kit: ")
    assert diff == (
        "--- cell 5 (process_frame) in effects.ipynb\n+++ cell 5 (process_frame) in processor.py\n@@ -1,2 +1,2 @@\n"
        " def process_frame(frame):\n-    return frame  # mine\n+    return None\n"
    )
    assert said.startswith("cell 5 (process_frame) changed in effects.ipynb and in processor.py since the export;")


def test_the_same_edit_on_both_sides_leaves_the_notebook_and_brings_the_bundle_up_to_date(exported, nothing_is_written):
    exported.edit("    return frame", "    return None")
    exported.edit_cell(5, PROCESS_FRAME.replace("return frame", "return None"))
    before = exported.path.read_bytes()
    done = sync(exported.folder)
    assert (done.cells, done.is_written, exported.path.read_bytes()) == ([], True, before)
    with nothing_is_written:
        assert sync(exported.folder) == ([], (), False)


def test_a_notebook_that_changed_alone_is_exported_and_said(exported, capsys):
    exported.edit_cell(5, PROCESS_FRAME.replace("return frame", "return None"))
    assert main(["sync", str(exported.folder)]) == 0
    assert capsys.readouterr().out == (
        f"nothing to take back; {exported.folder}, which was not what the notebook says, is exported again\n"
    )
    assert "return None" in exported.module


@pytest.mark.parametrize("step", ["plan_again", "Path.rename", "write_notebook"])
def test_a_sync_that_fails_at_any_step_changes_nothing_and_the_next_one_does_it(
    exported, nothing_is_written, monkeypatch, step
):
    exported.edit("    return frame", "    return None")

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, nothing_is_written:
        patch.setattr(Path, "rename", fail) if step == "Path.rename" else patch.setattr(sync_module, step, fail)
        with pytest.raises((BundleError, OSError)):
            sync(exported.folder)
    assert [cell.number for cell in sync(exported.folder).cells] == [5]
    assert not drift(Analysis(read_notebook(exported.path)), exported.folder)


@pytest.mark.parametrize("saved", ["notebook", "module"])
def test_what_is_saved_while_a_sync_plans_is_not_lost(exported, monkeypatch, saved):
    exported.edit("    return frame", "    return None")
    planned = sync_module.plan_again

    def plan_while_somebody_saves(*arguments):
        found = planned(*arguments)
        exported.edit_cell(3, "y = 2") if saved == "notebook" else exported.edit("SCALE = 2", "SCALE = 3")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(sync_module, "plan_again", plan_while_somebody_saves)
        with pytest.raises(ByocKitError, match="in the meantime"):
            sync(exported.folder)
    assert ("y = 2" in exported.sources()) is (saved == "notebook")
    assert ("SCALE = 3" in exported.module) is (saved == "module")
    assert 5 in [cell.number for cell in sync(exported.folder).cells]


def test_an_edit_of_another_file_stops_the_sync_before_anything_is_written(exported, nothing_is_written):
    exported.edit("    return frame", "    return None")
    dockerfile = exported.folder / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "RUN apt-get update\n")
    with nothing_is_written, pytest.raises(BundleError, match=r"Dockerfile in .* was edited since the export"):
        sync(exported.folder)


def test_a_notebook_that_is_no_python_any_more_is_reported_with_its_cell(exported, capsys):
    exported.edit("    return frame", "    return None")
    exported.edit_cell(2, "SCALE = (")
    assert main(["sync", str(exported.folder)]) == 2
    assert "effects.ipynb, cell 2, line 1: '(' was never closed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"""T.', '"""Another.', r"the docstring and the class at the end are the exporter's own"),
        ("hooks = byoc_kit", "x = 1\n    hooks = byoc_kit", r"the docstring and the class at the end"),
        (
            "# %% cell 4 (capability)\n",
            "",
            r"the line `# %% cell 4 \(capability\)` is gone from processor\.py",
        ),
        ("# %%\nclass", "class", r"the line `# %%` is gone"),
        ("import os\n", "import os\nx = 1\n", r"`x = 1` stands above the first cell and is not an import"),
        (
            "import os\n",
            "import os\n\ndef half(x):\n    return x / 2\n",
            r"^`def half\(x\): \.\.\.` stands above the first cell and is not an import; move it below a marker$",
        ),
        ("import os\n", "import os\nimport\n", r"the imports of processor\.py are not valid Python"),
        ("import os\n", "import os  # why\n", r"a comment among the imports of processor\.py would be lost"),
        ("    return frame", "    return fame", r"cell 5, line 2: nothing defines fame"),
    ],
)
def test_what_cannot_go_back_is_refused(exported, nothing_is_written, old, new, said):
    exported.edit(old, new)
    with nothing_is_written, pytest.raises(Exception, match=said):
        sync(exported.folder)


def test_cells_are_found_by_id_wherever_they_have_gone(write_notebook, tmp_path):
    path = write_notebook("x = 1")
    document = json.loads(path.read_text())
    for number, cell in enumerate(document["cells"]):
        cell["id"] = f"id-{number}"
    path.write_text(json.dumps(document))
    it = Exported(path, tmp_path / "e")
    document["cells"].insert(0, {"cell_type": "markdown", "metadata": {}, "source": "# New"})
    path.write_text(json.dumps(document))
    it.edit("x = 1", "x = 2")
    assert [cell.label for cell in sync(it.folder).cells] == ["cell 2 (id-0)"]
    assert it.sources()[1] == "x = 2"


def test_a_cell_that_is_gone_is_reported(exported, nothing_is_written):
    exported.edit("    return frame", "    return None")
    document = json.loads(exported.path.read_text())
    document["cells"].pop(2)
    exported.path.write_text(json.dumps(document))
    with (
        nothing_is_written,
        pytest.raises(SyncError, match=r"cell 5 \(process_frame\) was edited in processor\.py and is gone"),
    ):
        sync(exported.folder)


def test_a_list_of_lines_stays_one(exported):
    document = json.loads(exported.path.read_text())
    document["cells"][4]["source"] = ["def process_frame(frame):\n", "    return frame"]
    exported.path.write_text(json.dumps(document))
    exported.edit("    return frame", "    return None")
    sync(exported.folder)
    assert json.loads(exported.path.read_text())["cells"][4]["source"] == [
        "def process_frame(frame):\n",
        "    return None",
    ]


def test_the_command_says_what_it_took(exported, capsys):
    exported.edit("    return frame", "    return None")
    assert main(["sync", str(exported.folder)]) == 0
    assert capsys.readouterr().out == f"took cell 5 (process_frame) back; notebook and {exported.folder} agree\n"
    assert main(["sync", str(exported.folder)]) == 0
    assert capsys.readouterr().out == f"nothing to take back; notebook and {exported.folder} agree\n"


def test_export_check_shows_the_difference_and_writes_nothing(exported, capsys):
    arguments = ["export", "--check", str(exported.path), "--output", str(exported.folder)]
    assert main(arguments) == 0
    assert capsys.readouterr().out == f"{exported.folder} is as the notebook says\n"
    exported.edit_cell(5, PROCESS_FRAME.replace("return frame", "return None"))
    before = exported.module
    assert main(arguments) == 1
    out = capsys.readouterr().out
    assert f"--- {exported.folder}/processor.py\n+++ {exported.folder}/processor.py as the notebook says\n" in out
    assert "-    return frame\n+    return None\n" in out
    assert exported.module == before


def test_export_check_sees_an_asset_that_is_missing_or_changed_and_a_stale_schema(write_notebook, tmp_path, capsys):
    (tmp_path / "a.bin").write_bytes(b"weights")
    notebook = write_notebook("from byoc_kit import asset\nx = asset('a.bin')")
    it = Exported(notebook, tmp_path / "e")
    arguments = ["export", "--check", str(it.path), "--output", str(it.folder)]
    [copy] = (it.folder / "assets").iterdir()
    assert main(arguments) == 0
    copy.write_bytes(b"other")
    (it.folder / "params.schema.json").write_text("{}")
    capsys.readouterr()
    assert main(arguments) == 1
    out = capsys.readouterr().out
    assert f"{copy} is not what its name says\n" in out
    assert f"--- {it.folder}/params.schema.json\n" in out
    copy.unlink()
    assert main(arguments) == 1
    assert f"{copy} is missing\n" in capsys.readouterr().out


def test_the_lock_stays_as_it_was_asked_for(exported):
    write(plan_file(exported.path, exported.folder, with_hashes=False))
    exported.edit("    return frame", "    return None")
    sync(exported.folder)
    assert "--hash" not in (exported.folder / "requirements.lock").read_text()


def test_what_an_edit_makes_doubtful_is_reported(exported, capsys):
    exported.edit("SCALE = 2  # twice", "SCALE = 2  # byoc: ignore[secret]")
    assert main(["sync", str(exported.folder)]) == 0
    said = capsys.readouterr()
    assert "cell 2, line 4: there is no secret in this line;" in said.err
    assert said.out.startswith("took cell 2 (scaled) back")


def test_an_edited_cell_of_pasted_prompts_becomes_what_python_got(write_notebook, tmp_path):
    pasted = ">>> import os\n>>> SCALE = 2\n>>> def scaled(x):\n...     return x * SCALE"
    cells = [
        ("byoc", pasted),
        ("byoc", f"    {CAPABILITY.replace(chr(10), chr(10) + '    ')}"),
        ("byoc", PROCESS_FRAME),
    ]
    exported = Exported(write_notebook(cells=cells), tmp_path / "effects")
    assert "\nSCALE = 2\ndef scaled(x):\n    return x * SCALE\n" in exported.module
    assert sync(exported.folder).cells == []
    exported.edit("SCALE = 2", "SCALE = 3")
    assert [cell.number for cell in sync(exported.folder).cells] == [1]
    first, second, _ = exported.sources()
    assert first == "import os\nSCALE = 3\ndef scaled(x):\n    return x * SCALE"
    assert second.startswith("    from byoc_kit")


def test_code_above_a_future_import_goes_below_it(write_notebook, tmp_path):
    source = "%matplotlib inline\n\n# said\n\nfrom __future__ import annotations"
    exported = Exported(write_notebook(source), tmp_path / "effects")
    exported.edit("# said", "# said\nnew = 1")
    sync(exported.folder)
    assert exported.sources()[0].startswith("%matplotlib inline\n")
    assert exported.sources()[0].endswith("from __future__ import annotations\n\n# said\nnew = 1")
