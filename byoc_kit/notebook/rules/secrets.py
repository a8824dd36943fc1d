"""Literals of tagged cells that look like a password or a key: an image is read by whoever pulls it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from byoc_kit.notebook.analysis import Analysis
from byoc_kit.notebook.findings import Finding, Place, Rule, Severity

SECRET = Rule(
    code="secret",
    severity=Severity.ERROR,
    about="a literal looks like a password or a key, which does not belong in an image",
    why="The exported module is in the image. Whoever pulls the image can read it.",
    example='token = "hf_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"',
    ignorable=True,
)

# As their issuers mark them.
_KEYS = {
    "a Hugging Face token": r"hf_[A-Za-z0-9]{20,}",
    "an OpenAI key": r"sk-[A-Za-z0-9_-]{20,}",
    "a GitHub token": r"(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    "a GitLab token": r"glpat-[A-Za-z0-9_-]{20,}",
    "an AWS key": r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    "a Google key": r"AIza[A-Za-z0-9_-]{35}",
    "a Slack token": r"xox[abeoprs]-[A-Za-z0-9-]{10,}",
    "a Weights & Biases key": r"wandb_v\d_[A-Za-z0-9_]{20,}",
    "a Livepeer key": r"lp_[A-Za-z0-9]{20,}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a password in a URL": r"[a-z][a-z0-9+.-]{0,30}://[^/\s:@]*:[^/\s:@]+@",
}
_PATTERNS = {kind: re.compile(rf"(?<![A-Za-z0-9]){pattern}") for kind, pattern in _KEYS.items()}
_NAME = re.compile(
    r"(?:^|_)(?:api_?key|auth|credentials?|passw(?:or)?d|private_?key|secret(?:_?key)?|token)$", re.IGNORECASE
)
_WITH_SPACES = re.compile(r"(?:credentials?|passw(?:or)?d|secret)$", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"<.*>|\[.*\]|\.{3}|x+|\*+|(?:your|my|the|change|put|insert|dummy|example|none|todo)\b.*", re.IGNORECASE
)
_SHORTEST = 6
_HINT = "read it from an environment variable with os.environ, and take it out of the notebook"


def check_secrets(analysis: Analysis) -> Iterator[Finding]:
    """Yield literals that look like a secret; what they say is never repeated."""
    for cell in analysis.cells:
        named = {id(value): name for name, value in _named(cell.tree) if _NAME.search(name)}
        for node in cell.nodes:
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str | bytes):
                continue
            text = node.value if isinstance(node.value, str) else node.value.decode(errors="replace")
            kind = next((kind for kind, pattern in _PATTERNS.items() if pattern.search(text)), None)
            if kind is None and id(node) in named and _is_filled(named[id(node)], text):
                kind = "a secret, by the name " + named[id(node)]
            if kind:
                yield Finding(SECRET, analysis.name, f"this looks like {kind}", _HINT, Place.of(cell, node))


def _named(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield each value with the name that it is given: by assignment, as an argument, as a key."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=value):
                yield from ((_last_name(target), value) for target in targets)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield _last_name(target), value
            case ast.keyword(arg=str(name), value=value):
                yield name, value
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        yield key.value, value


def _last_name(target: ast.expr) -> str:
    match target:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
    return ""


def _is_filled(name: str, text: str) -> bool:
    """Whether a text of that name may be a secret: a key or a token has no spaces, a password may."""
    if re.search(r"\s", text.strip()) and not _WITH_SPACES.search(name):
        return False
    return len(text) >= _SHORTEST and not text.isspace() and not _PLACEHOLDER.fullmatch(text)
