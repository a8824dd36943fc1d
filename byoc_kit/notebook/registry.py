"""All rules and checks: what the modules of ``rules/`` define. A rule that stands there needs no other mention."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

from byoc_kit.notebook import rules
from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.findings import Finding, Rule, Severity

Check = Callable[[Analysis], Iterator[Finding]]

# Not pkgutil's iter_modules, whose import takes 3 ms.
_NAMES = sorted(path.stem for folder in rules.__path__ for path in Path(folder).glob("[!_]*.py"))
_MODULES: list[ModuleType] = [import_module(f"{rules.__name__}.{name}") for name in _NAMES]
_VALUES = [(module, name, value) for module in _MODULES for name, value in vars(module).items()]

# By code; errors first, then warnings, then notes.
RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in sorted(
        {value for *_, value in _VALUES if isinstance(value, Rule)},
        key=lambda rule: (list(Severity).index(rule.severity), rule.code),
    )
}
# In the order of the modules' names, and in each in that of the text.
CHECKS: tuple[Check, ...] = tuple(
    value for module, name, value in _VALUES if name.startswith("check_") and value.__module__ == module.__name__
)
