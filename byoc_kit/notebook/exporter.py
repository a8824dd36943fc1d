"""``jupyter nbconvert --to byoc NOTEBOOK``: the same ``processor.py`` as ``byoc-kit export``.

Not a TemplateExporter: the module is rendered from the raw notebook, whose cell numbers and text nbconvert's
preprocessors and cell-id repair would change. JupyterLab makes every exporter for its menu, so nothing heavy is
imported before a notebook comes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbconvert.exporters import Exporter
from nbconvert.utils.exceptions import ConversionException

from byoc_kit.errors import ByocKitError


class ByocExporter(Exporter):  # type: ignore[misc]  # nbconvert has no type hints
    """Exports the cells tagged ``byoc`` as a module with a pytrickle FrameProcessor.

    Raises nbconvert's ConversionException, one line a finding, where the notebook has faults.
    """

    export_from_notebook = "BYOC processor"
    output_mimetype = "text/x-python"

    def _file_extension_default(self) -> str:
        return ".py"

    def from_filename(
        self, filename: str, resources: dict[str, Any] | None = None, **_: Any
    ) -> tuple[str, dict[str, Any]]:
        """Export a notebook file."""
        from byoc_kit.notebook.notebook_file import read_file

        path = Path(filename)
        return self._export(lambda: read_file(path), path.name, resources)

    def from_notebook_node(
        self, nb: Any, resources: dict[str, Any] | None = None, **_: Any
    ) -> tuple[str, dict[str, Any]]:
        """Export a notebook that JupyterLab or nbconvert has read already."""
        stem = (resources or {}).get("metadata", {}).get("name") or "notebook"
        return self._export(lambda: json.dumps(nb).encode(), f"{stem}.ipynb", resources)

    def _export(
        self, read: Callable[[], bytes], name: str, resources: dict[str, Any] | None
    ) -> tuple[str, dict[str, Any]]:
        from byoc_kit.notebook.analysis import Analysis
        from byoc_kit.notebook.check import checked_module
        from byoc_kit.notebook.notebook_file import parse_notebook

        try:
            module = checked_module(Analysis(parse_notebook(read(), name=name)))
        except ByocKitError as error:
            raise ConversionException(str(error)) from None
        return module.source, self._init_resources(resources)
