import base64
from io import BytesIO

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

from byoc_kit.preview import preview
from byoc_kit.preview.pictures import POSTER_LIMIT_BYTES, poster

CELL = """
import byoc_kit
from pydantic import Field

class Params(byoc_kit.Params):
    gain: float = Field(2.0, ge=0, le=4)

def process_frame(frame, params: Params):
    return frame.tensor * params.gain

byoc_kit.preview(process_frame, {clip!r})
"""


def run(source, folder):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook.cells[0].outputs


def test_a_run_that_nobody_watches_leaves_a_poster_and_a_table(clip, tmp_path):
    picture, table = run(CELL.format(clip=clip.name), tmp_path)
    image = Image.open(BytesIO(base64.b64decode(picture["data"]["image/jpeg"])))
    assert image.size == (2 * 96 + 8, 64)
    assert "application/vnd.jupyter.widget-view+json" not in picture["data"]
    lines = table["data"]["text/plain"].splitlines()
    assert lines[0] == "clip           clip.mp4 (96x64)"
    assert lines[1] == "frames         10 in, 10 out"
    assert lines[3] == "params         gain=2.0"


def test_an_exception_fails_the_cell_there(clip, tmp_path):
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        run(CELL.format(clip=clip.name).replace("params.gain", "(1 / 0)"), tmp_path)


def test_the_pass_counts_what_was_withheld(clip):
    numbers = iter(range(10))
    static = preview(lambda frame: frame if next(numbers) % 2 else None, clip)
    static.play()
    static.pause()
    static.close()
    stats = static.stats()
    assert (stats.frames_in, stats.frames_out, stats.drops) == (10, 5, {"withheld": 5})


def test_a_poster_stays_small_whatever_it_shows():
    noise = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    assert len(poster(noise, noise, 1280)) < POSTER_LIMIT_BYTES
