"""Notebooks that import what reads files, and what single checks say of them."""

from notebook_rig import notebook_json

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.notebook_file import parse_notebook

IMPORTS = """\
import io, json, os, pathlib, pickle
import av, cv2, joblib, onnxruntime, torch
import numpy as np
import pandas as pd
from pathlib import Path
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
import byoc_kit
from byoc_kit import asset
"""
BESIDE = "put the file next to the notebook, and name it relative to that folder"


def analysis(*sources, folder=None, imports=IMPORTS):
    cells = [("byoc", imports), *(("byoc", source) for source in sources)]
    return Analysis(parse_notebook(notebook_json(*cells).encode(), name="effects.ipynb", folder=folder))


def said(check, *sources, **options):
    return [str(finding) for finding in check(analysis(*sources, **options))]


def lines(check, *sources, **options):
    return [(finding.code, finding.cell, finding.line) for finding in check(analysis(*sources, **options))]
