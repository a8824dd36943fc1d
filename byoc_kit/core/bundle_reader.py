"""Reads a bundle: its manifest and its processor."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.util import module_from_spec, spec_from_file_location
from inspect import getsourcelines
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from byoc_kit.core.capability import Capability
from byoc_kit.core.source_map import CellSpan, SourceMap
from byoc_kit.errors import ByocKitError, in_one_line

if TYPE_CHECKING:  # the container binds its port before torch is imported
    from byoc_kit.core.processor import FrameProcessor

MANIFEST = "bundle.json"
MAP = "processor.map.json"
SCHEMA = "params.schema.json"


class BundleError(ByocKitError):
    """A folder is not a bundle, or cannot become one."""


@dataclass(frozen=True)
class Bundle:
    """An exported notebook. ``params_sha256`` is that of the parameters' schema, where the export knew them."""

    folder: Path
    name: str
    title: str
    notebook: Path
    capability: Capability
    source_map: SourceMap
    params_sha256: str | None = None

    @property
    def model_id(self) -> str:
        """The name by which gateways route."""
        return self.capability.model_id


def read_bundle(folder: Path | str) -> Bundle:
    """Read a bundle's manifest. Raises ``BundleError`` if it is missing or damaged."""
    folder = Path(folder)
    if folder.suffix == ".ipynb" and folder.is_file():
        export = f"byoc-kit export {shlex.quote(str(folder))}"
        msg = f"{folder} is a notebook; `{export}` makes its bundle, and prints the folder to give here"
        raise BundleError(msg)
    with _reading(folder, MANIFEST):
        manifest = json.loads((folder / MANIFEST).read_bytes())
        notebook = folder / manifest["notebook"]
        capability = Capability(**manifest["capability"])
        name, title = manifest["name"], manifest["title"]
        params_sha256 = manifest.get("files", {}).get(SCHEMA)
    if not (folder / "processor.py").is_file():
        msg = f"{folder} has no processor.py; export the notebook again"
        raise BundleError(msg)
    with _reading(folder, MAP):
        runs = json.loads((folder / MAP).read_bytes())["lines"]
        spans = tuple(_span(*run) for run in runs)
    return Bundle(folder, name, title, notebook, capability, SourceMap(notebook.name, spans), params_sha256)


@contextmanager
def _reading(folder: Path, name: str) -> Iterator[None]:
    """Turn an error in reading a file of the bundle into a ``BundleError`` of one sentence."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        msg = f"{folder} is not a bundle: it has no {name}; make one with `byoc-kit export NOTEBOOK`"
        raise BundleError(msg) from None
    except OSError as error:
        msg = f"cannot read {folder / name}: {error.strerror}; make it readable, or export the notebook again"
        raise BundleError(msg) from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        msg = f"{folder / name} is damaged ({type(error).__name__}: {reason}); export the notebook again"
        raise BundleError(msg) from None


def _span(first_line: int, lines: int, cell: int, cell_line: int) -> CellSpan:
    return CellSpan(cell, first_line, lines, cell_line)


def load_processor(bundle: Bundle) -> FrameProcessor:
    """Import the bundle's ``processor.py`` and make its processor; this runs the exported cells.

    Raises ``BundleError`` naming cell and line if they raise.
    """
    path = (bundle.folder / "processor.py").resolve()
    spec = spec_from_file_location("processor", path)
    if spec is None or spec.loader is None or not path.is_file():
        msg = f"{bundle.folder} has no processor.py; export the notebook again"
        raise BundleError(msg)
    module, former = module_from_spec(spec), sys.modules.get("processor")
    sys.modules["processor"] = module  # pydantic looks a class's module up there
    try:
        spec.loader.exec_module(module)
        processor: FrameProcessor = module.Processor()
    except (Exception, SystemExit) as error:
        where = _place(error, module, bundle)
        _put_back(former)
        hint = "run the notebook from the top to see it"
        said = str(error) if isinstance(error, ByocKitError) else f"{in_one_line(error)}; {hint}"
        msg = f"{where}: {said}"
        raise BundleError(msg) from error
    text = path.read_text(encoding="utf-8", errors="replace").split("\n")  # as Python counts lines
    processor.source_map = replace(bundle.source_map, text=text)
    return processor


def _put_back(former: ModuleType | None) -> None:
    """Put the module loaded before back: ``byoc-kit watch`` still runs it, and pickle must find its classes."""
    if former is None:
        del sys.modules["processor"]
    else:
        sys.modules["processor"] = former


def _place(error: BaseException, module: ModuleType, bundle: Bundle) -> str:
    """Name the line that raised, or the line of the parameters' class if their defaults are not allowed."""
    from byoc_kit.core.params import DefaultError
    from byoc_kit.core.source_map import locate

    if not isinstance(error, DefaultError):
        return locate(error.__traceback__, str(module.__file__), bundle.source_map)
    trace, line = (error.__cause__ or error).__traceback__, _line_of_params(module)
    return locate(trace, str(module.__file__), bundle.source_map, first_line=line)


def _line_of_params(module: ModuleType) -> int | None:
    with suppress(AttributeError, OSError):  # a cell raised it, or no class statement made the class
        kind = module.Processor.hooks.params_type
        return getsourcelines(kind)[1] if kind.__module__ == module.__name__ else None
    return None


def schema_drift(bundle: Bundle, processor: FrameProcessor) -> str | None:
    """Return a sentence about how the loaded parameters differ from the bundle's schema; ``None`` if they do not."""
    try:
        said = json.loads((bundle.folder / SCHEMA).read_bytes())
    except FileNotFoundError:
        return None  # the export could not know their class without running the notebook
    except (OSError, ValueError, RecursionError):
        return f"{SCHEMA} cannot be read; export the notebook again"
    loaded = processor.hooks.params_type.model_json_schema()
    if json.loads(json.dumps(loaded)) == said:
        return None
    own, exported = _fields(loaded), _fields(said)
    differing = [name for name in sorted({*own, *exported}) if own.get(name) != exported.get(name)]
    what = f"of {', '.join(differing)}" if differing else "of the parameters"
    return f"{SCHEMA} does not say {what} what {processor.hooks.params_type.__name__} does; export the notebook again"


def _fields(schema: Any) -> dict[str, Any]:
    fields = schema.get("properties") if isinstance(schema, dict) else None
    return fields if isinstance(fields, dict) else {}
