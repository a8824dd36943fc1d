import json
import os

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME, plan_file

from byoc_kit.bundle.plan import write
from byoc_kit.jupyter.ship.overview import BundleState, Target, as_plain, read_overview, read_stamp
from byoc_kit.notebook.notebook_file import NotebookError

SOUND = [("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)]


def export(target):
    write(plan_file(target.notebook, target.folder / target.bundle, with_hashes=False))


def test_cells_that_go_and_cells_that_stay_are_told_apart(overview_of):
    overview = overview_of(
        ("markdown", "# Tint"),
        ("byoc", CAPABILITY),
        ("", "GAIN = 3"),
        ("byoc", "\n\nimport math\n\nHALF, TWICE = 0.5, 2\n\n\ndef process_frame(frame):\n    return frame"),
        ("byoc", "  "),
        ("", "%matplotlib inline"),
    )
    assert [(row.cell.number, row.goes, row.defines, row.first_line) for row in overview.rows] == [
        (2, True, ("capability",), "from byoc_kit import Capability"),
        (3, False, (), "GAIN = 3"),
        (4, True, ("process_frame", "HALF", "TWICE"), "import math"),
        (6, False, (), "%matplotlib inline"),
    ]
    assert (overview.title, overview.capability, overview.errors) == ("Tint", "tint", 0)


def test_errors_come_before_warnings_and_notes(overview_of):
    overview = overview_of(
        ("byoc", "%matplotlib inline\nimport pickle\nmodel = pickle.load(open('model.pkl', 'rb'))"),
        *SOUND,
        ("byoc", "scale = GAIN"),
    )
    severities = [finding.severity.value for finding in overview.findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert {"error", "note"} <= {*severities}
    assert overview.findings[-1].cell == 1


@pytest.mark.parametrize("source", ["def process_frame(frame:", "x = 1\x00", "%%bash\nls"])
def test_a_cell_that_is_no_python_has_a_row_and_a_finding(overview_of, source):
    overview = overview_of(("byoc", source), *SOUND)
    assert overview.rows[0].defines == ()
    assert overview.errors
    assert overview.capability == ""


def test_nothing_tagged_is_a_finding(overview_of):
    overview = overview_of(("", "x = 1"))
    assert [finding.code for finding in overview.findings] == ["no-tagged-cell"]
    assert overview.capability == ""


def test_a_missing_file_is_the_readers_error(tmp_path):
    with pytest.raises(NotebookError, match=r"there is no notebook .*gone\.ipynb"):
        read_overview(Target(tmp_path / "gone.ipynb"))


def test_the_bundle_is_missing_then_as_the_notebook_then_another(overview_of, write_notebook):
    target = overview_of(*SOUND).target
    assert read_overview(target).bundle is BundleState.MISSING
    export(target)
    assert read_overview(target).bundle is BundleState.SAME
    write_notebook(cells=[*SOUND, ("", "unsaved = 'what stays changes nothing'")])
    assert read_overview(target).bundle is BundleState.SAME
    write_notebook(cells=[*SOUND, ("byoc", "GAIN = 3")])
    assert read_overview(target).bundle is BundleState.DIFFERENT
    assert read_overview(target).why_different == "effects.ipynb has changed since the export; export it again"
    write_notebook(cells=[*SOUND, ("byoc", "GAIN = nothing")])
    assert read_overview(target).bundle is BundleState.DIFFERENT


def test_another_asset_makes_another_bundle_and_is_seen_when_it_is_written(overview_of, tmp_path):
    weights = tmp_path / "a.bin"
    weights.write_bytes(b"weights")
    target = overview_of(("byoc", "from byoc_kit import asset\nweights = asset('a.bin')"), *SOUND).target
    export(target)
    before = read_overview(target)
    assert before.bundle is BundleState.SAME
    weights.write_bytes(b"others")
    os.utime(weights, (1000, 1000))
    assert read_stamp(target, before.assets) != before.stamp
    assert read_overview(target).why_different == "a.bin has changed since the export; export effects.ipynb again"
    weights.unlink()
    assert read_overview(target).why_different == "fix the errors first"


def test_an_edit_of_the_module_is_reported_and_seen_when_it_is_written(overview_of):
    target = overview_of(*SOUND).target
    export(target)
    before = read_overview(target)
    module = target.folder / target.bundle / "processor.py"
    module.write_text(module.read_text().replace("return frame", "return None"))
    os.utime(module, (1000, 1000))
    assert read_stamp(target, before.assets) != before.stamp
    assert "processor.py was edited since the export; `byoc-kit sync" in read_overview(target).why_different


def test_a_bundle_that_somebody_took_apart_is_another(overview_of):
    target = overview_of(*SOUND).target
    export(target)
    (target.folder / target.bundle / "processor.py").unlink()
    assert read_overview(target).bundle is BundleState.DIFFERENT


def test_times_are_those_of_the_files(overview_of):
    target = overview_of(*SOUND).target
    os.utime(target.notebook, (1000, 1000))
    assert read_overview(target).saved.timestamp() == 1000
    assert read_overview(target).reported is None
    report = target.folder / target.report
    report.parent.mkdir(parents=True)
    report.write_text("report")
    os.utime(report, (2000, 2000))
    assert read_overview(target).reported.timestamp() == 2000


def test_as_text_it_has_the_cells_and_the_findings(overview_of, tmp_path):
    target = overview_of(("markdown", "# Tint"), *SOUND, ("byoc", "SCALE = 2 * GAIN"), ("", "GAIN = 3")).target
    document = json.loads(target.notebook.read_text())
    document["cells"][2]["id"] = "process"
    target.notebook.write_text(json.dumps(document))
    assert as_plain(read_overview(target)) == (
        "Tint goes to export/effects as tint\n"
        "\n"
        "       cell         defines        begins with\n"
        "goes   2            capability     from byoc_kit import Capability\n"
        "goes   3 (process)  process_frame  def process_frame(frame):\n"
        "goes   4            SCALE          SCALE = 2 * GAIN\n"
        "stays  5 (GAIN)                    GAIN = 3\n"
        "\n"
        "error[untagged-name]: GAIN is not in the tagged cells\n"
        " --> effects.ipynb, cell 4 (SCALE), line 1, column 13\n"
        "  |\n"
        "1 | SCALE = 2 * GAIN\n"
        "  |             ^^^^\n"
        "  = cell 5 defines it; tag that cell `byoc`\n"
        "\n"
        "effects.ipynb: 1 error\n"
    )
