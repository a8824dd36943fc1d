import json
import os
import re
from html.parser import HTMLParser

import pytest
from notebook_rig import CAPABILITY, PROCESS_FRAME

from byoc_kit.jupyter.ship.controller import Action, Choices
from byoc_kit.jupyter.ship.overview import Target, read_overview
from byoc_kit.jupyter.ship.page import as_html, exports, reasons, what_runs

SOUND = [("byoc", CAPABILITY), ("byoc", PROCESS_FRAME)]
SCRIPT = "<script>alert(1)</script>"


class Page(HTMLParser):
    """The tags, links and text of a piece of HTML; every tag must be closed."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.links, self.open, self.words = set(), [], [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.open.append(tag)
        self.links += [value for name, value in attributes if name == "href"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return "".join(self.words)


def with_ids(overview, *ids):
    document = json.loads(overview.target.notebook.read_text())
    for cell, own in zip(document["cells"], ids, strict=True):
        cell["id"] = own
    overview.target.notebook.write_text(json.dumps(document))
    return read_overview(overview.target)


def test_a_finding_leads_to_its_cell(overview_of):
    overview = with_ids(overview_of(*SOUND, ("byoc", "SCALE = 2 * GAIN")), "a", "b", "scale")
    html = as_html(overview)
    assert '<a href="./effects.ipynb#cell-id=scale">cell 3, line 1</a>' in html
    assert "SCALE = 2 * <mark>GAIN</mark>" in html
    assert Page(html).links.count("./effects.ipynb#cell-id=scale") == 2  # in the table, and at the finding


def test_a_cell_without_an_id_is_named_alone(overview_of):
    page = Page(as_html(overview_of(*SOUND, ("byoc", "SCALE = 2 * GAIN"))))
    assert page.links == []
    assert "error in cell 3, line 1: nothing defines GAIN" in page.text


def test_it_says_what_was_seen_and_what_was_not(overview_of):
    overview = overview_of(("markdown", "# Tint"), *SOUND, ("", "x = 1"))
    text = Page(as_html(overview)).text
    assert re.search(
        r"^Tint2 code cells of effects\.ipynb go into the container as tint, 1 stays\. "
        r"This is the version saved at \d\d:\d\d:\d\d; unsaved changes do not count\.",
        text,
    )
    assert "effects.ipynb: no problems found; it can be exported" in text


def test_findings_stand_by_severity_errors_first(overview_of):
    html = as_html(overview_of(("byoc", "%matplotlib inline"), *SOUND, ("byoc", "y = x")))
    assert re.findall(r'<ul class="[^"]*" aria-label="(\w+)">', html) == ["errors", "notes"]


def test_hostile_texts_stay_texts(overview_of):
    overview = overview_of(
        ("markdown", f"# {SCRIPT}"),
        ("byoc", f"# {SCRIPT}\n{CAPABILITY}"),
        ("byoc", PROCESS_FRAME),
        ("byoc", f'x = nothing + "{SCRIPT}"  # </pre></li>'),
        name="<img src=x onerror=alert(1)>'\".ipynb",
    )
    for html in (as_html(overview), exports(overview), what_runs(overview.target, Choices(base_image=SCRIPT))):
        page = Page(html)
        assert not {"script", "img"} & page.tags
    assert SCRIPT in Page(as_html(overview)).text


def test_a_link_survives_what_a_file_name_may_have(overview_of):
    overview = with_ids(overview_of(*SOUND, name="a:b #1%.ipynb"), "a", "b")
    assert Page(as_html(overview)).links == [f"./a%3Ab%20%231%25.ipynb#cell-id={own}" for own in "ab"]


def test_of_a_long_line_only_the_place_is_shown(overview_of):
    overview = overview_of(*SOUND, ("byoc", f"x = '{'a' * 100_000}' + GAIN + '{'b' * 100_000}'"))
    html = as_html(overview)
    assert "<mark>GAIN</mark>" in html
    assert len(html) < 5000


def test_of_many_cells_and_findings_the_first_are_shown(overview_of):
    overview = overview_of(*SOUND, *(("byoc", f"x{i} = nothing{i}") for i in range(400)))
    text = Page(as_html(overview)).text
    assert "and 102 cells more" in text
    assert "and 300 findings more; Check prints them all" in text


def test_many_names_of_one_cell_are_cut(overview_of):
    overview = overview_of(*SOUND, ("byoc", "\n".join(f"x{i} = {i}" for i in range(20))))
    assert "x5, 14 more" in Page(as_html(overview)).text


def test_the_report_is_linked_from_next_to_the_notebook(overview_of):
    overview = overview_of(*SOUND, name="two words.ipynb")
    assert Page(exports(overview)).text == "export/two words is not there yet."
    report = overview.target.folder / overview.target.report
    report.parent.mkdir(parents=True)
    report.write_text("report")
    os.utime(report, (0, 0))
    page = Page(exports(read_overview(overview.target)))
    assert page.links == ["./reports/two%20words/report.html"]
    assert re.search(
        r"Report of the last verify, 19\d\d-\d\d-\d\d \d\d:\d\d:\d\d: reports/two words/report\.html", page.text
    )


def test_reasons_that_are_the_same_stand_together():
    why = {Action.CHECK: "", Action.EXPORT: "mend it", Action.BUILD: "mend it", Action.SERVE: "", Action.VERIFY: "<b>"}
    assert Page(reasons(why, "")).text == "Verify: <b>. Export, Build: mend it."
    assert Page(reasons(why, "it is <gone>")).text == "it is <gone>"


@pytest.mark.parametrize(
    ("name", "notebook", "bundle"),
    [("tint.ipynb", "tint.ipynb", "export/tint"), ("-a b.ipynb", "'./-a b.ipynb'", "'export/-a b'")],
)
def test_the_commands_can_be_typed(tmp_path, name, notebook, bundle):
    text = Page(what_runs(Target(tmp_path / name), Choices())).text
    assert f"in {tmp_path}; Serve adds a free --port" in text
    for line in (
        f"check {notebook}",
        f"check --fix {notebook}",
        f"export {notebook}",
        f"build {bundle}",
        f"serve {bundle}",
        f"verify {bundle}",
    ):
        assert f"byoc-kit {line}" in text
