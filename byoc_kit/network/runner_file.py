"""``runners.json``, the Live Runners that an operator declares, read from a file."""

from pathlib import Path

from byoc_kit.bundle.json_positions import JsonError, Node, decode_text, parse, place_of
from byoc_kit.errors import ByocKitError
from byoc_kit.network import go_json
from byoc_kit.network.runner_records import RunnerError, StaticEntry, read_static_runners


def read_runners(path: Path) -> list[StaticEntry]:
    """Read and check ``runners.json``, as go-livepeer's ``-liveRunnerConfig`` takes it.

    Raises ByocKitError that names file, line and column of what is wrong.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ByocKitError(f"{path}: cannot be read: {error.strerror}; give the path of a runners.json") from error
    text = body.decode(errors="replace")
    try:
        root = parse(decode_text(body))
        return read_static_runners(body)
    except JsonError as error:
        at, said = error.at, f"is not JSON: {error}"
    except (go_json.GoJsonError, RunnerError) as error:
        at, said = _start_of(root, error.path), str(error)
    line, column = place_of(text, at)
    raise ByocKitError(f"{path}, line {line}, column {column}: {said}")


def _start_of(node: Node, path: go_json.Path) -> int:
    """Return where a value begins; where what is around it begins, if it is not there."""
    for key in path:
        if isinstance(key, int):
            inner = list(node.items[key : key + 1])
        else:
            inner = [member.value for member in node.members if member.key.lower() == key]
        if not inner:
            break
        node = inner[-1]
    return node.start
