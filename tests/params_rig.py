"""Notebooks with a class of parameters, and what check_params says of them."""

from notebook_rig import CAPABILITY, notebook_json

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.notebook_file import parse_notebook
from byoc_kit.notebook.rules.params import check_params

IMPORTS = """\
import enum
import functools
from enum import Enum, IntEnum, StrEnum, auto
from typing import Annotated, Any, ClassVar, Literal, Optional, Union
import annotated_types
from pydantic import ConfigDict, Field, PositiveInt, computed_field, confloat, conint, field_validator, model_validator
import byoc_kit
from byoc_kit import Params as Base
"""
PROCESS_FRAME = "def process_frame(frame, params): return frame"


def analysis(*sources):
    cells = [("byoc", source) for source in (*sources, CAPABILITY)]
    return Analysis(parse_notebook(notebook_json(*cells).encode(), name="effects.ipynb"))


def said(*sources):
    return [str(finding) for finding in check_params(analysis(*sources))]


def of_fields(*lines, before="", head="class Params(byoc_kit.Params):"):
    return "\n".join([IMPORTS, before, head, *(f"    {line}" for line in lines), "", PROCESS_FRAME])
