"""Notebooks made of a few cells."""

import json

import pytest

from byoc_kit.bundle.plan import plan
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.check import check_notebook
from byoc_kit.notebook.notebook_file import parse_notebook, read_notebook

CAPABILITY = 'from byoc_kit import Capability\n\ncapability = Capability(model_id="tint")'
PROCESS_FRAME = "def process_frame(frame):\n    return frame"


def notebook_json(*cells):
    """Make a notebook's JSON of (kind, source) pairs: `byoc`, "" for an untagged code cell, `markdown`."""
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}
    for kind, source in cells:
        cell = {"cell_type": "markdown" if kind == "markdown" else "code", "metadata": {}, "source": source}
        if kind == "byoc":
            cell["metadata"]["tags"] = ["byoc"]
        document["cells"].append(cell)
    return json.dumps(document)


def check(notebook):
    """Return the findings of a notebook."""
    return check_notebook(Analysis(notebook))


def said(notebook):
    """Return the findings of a notebook as text."""
    return [str(finding) for finding in check(notebook)]


def plan_file(path, target, **options):
    """Plan the bundle of a notebook's file."""
    return plan(Analysis(read_notebook(path)), target, **options)


@pytest.fixture
def make():
    """Make a notebook of (kind, source) pairs."""
    return lambda *cells, name="effects.ipynb": parse_notebook(notebook_json(*cells).encode(), name=name)


@pytest.fixture
def make_sound(make):
    """Make a notebook that can be exported, of tagged sources and a capability and a process_frame after them."""
    return lambda *sources: make(*(("byoc", source) for source in (*sources, CAPABILITY, PROCESS_FRAME)))


@pytest.fixture
def write_notebook(tmp_path):
    """Write a notebook of (kind, source) pairs, by default a sound one of the given tagged sources."""

    def write(*sources, cells=None, name="effects.ipynb"):
        pairs = cells if cells is not None else [("byoc", s) for s in (*sources, CAPABILITY, PROCESS_FRAME)]
        path = tmp_path / name
        path.write_text(notebook_json(*pairs))
        return path

    return write
