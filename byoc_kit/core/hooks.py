"""The hooks of a notebook, such as ``process_frame``: which arguments they take, and how async ones are run."""

from __future__ import annotations

import dis
import inspect
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from types import CodeType
from typing import Any, TypeVar, cast, get_args

import torch

from byoc_kit.core.params import Params
from byoc_kit.errors import ByocKitError
from byoc_kit.system.concurrency import LoopThread

Hook = Callable[..., Any]

T = TypeVar("T")

_making = threading.Lock()


@dataclass(frozen=True)
class Hooks:
    """The functions that a notebook defines. Each may be sync or async; only ``process_frame`` must exist.

    With a capacity above 1, several streams run at the same time. They share the module's globals, the model that
    ``load_model`` has made, and the GPU. Each stream has its own parameters and its own thread, so ``process_frame``
    runs for several streams at once. Keep everything else that belongs to one stream in ``byoc_kit.stream_state()``.

    Parameters
    ----------
    process_frame : callable
        ``process_frame(frame)`` or ``process_frame(frame, params)``. It takes a ``VideoFrame`` and returns one, or
        pixels, or a tensor, or ``None`` to drop the frame.
    params_type : type, optional
        The class of the parameters.
    load_model : callable, optional
        ``load_model()``, run once before the first stream.
    process_audio : callable, optional
        ``process_audio(frame)`` or ``process_audio(frame, params)``, for an ``AudioFrame``.
    on_stream_start, on_stream_stop : callable, optional
        ``on_stream_start(params)`` and ``on_stream_stop()``, run around each stream.

    Examples
    --------
    >>> import byoc_kit
    >>> def process_frame(frame):
    ...     return frame.replace(pixels=255 - frame.pixels)
    >>> hooks = byoc_kit.Hooks.of(process_frame)
    >>> hooks.params_type
    <class 'byoc_kit.core.params.Params'>
    """

    process_frame: Hook
    params_type: type[Params] = Params
    load_model: Hook | None = None
    process_audio: Hook | None = None
    on_stream_start: Hook | None = None
    on_stream_stop: Hook | None = None

    @classmethod
    def of(cls, process_frame: Hook, **optional: Hook) -> Hooks:
        """Make hooks from a notebook's functions.

        The parameters' class is the annotation of ``params``, or else the ``Params`` of the notebook.

        Parameters
        ----------
        process_frame : callable
            It takes a frame and, if it wants them, ``params``.
        **optional : callable
            The other hooks, by name.

        Raises
        ------
        ByocKitError
            If ``process_frame`` cannot be called with a frame and parameters, or a decorator hides that it takes
            parameters.
        """
        if not callable(process_frame):
            msg = f"process_frame must be a function, not {type(process_frame).__name__}"
            raise ByocKitError(msg)
        _check_signature("process_frame", process_frame)
        _check_not_hidden("process_frame", process_frame)
        if "process_audio" in optional:
            _check_signature("process_audio", optional["process_audio"])
            _check_not_hidden("process_audio", optional["process_audio"])
        return cls(process_frame, params_type=_params_type(process_frame), **optional)

    @property
    def user_file(self) -> str:
        """The file (or notebook cell) that ``process_frame`` was written in, as tracebacks name it."""
        code = code_of(self.process_frame)
        return code.co_filename if code else ""


def _parameters(function: Hook) -> list[inspect.Parameter]:
    with suppress(Exception):  # an annotation that only type checkers understand can raise any exception
        return list(inspect.signature(function, eval_str=True).parameters.values())
    try:
        return list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):  # most functions that are not written in Python raise this
        name = getattr(function, "__name__", type(function).__name__)
        msg = f"{name} does not say which arguments it takes; wrap it in a function of your own that takes frame"
        raise ByocKitError(msg) from None


def _params_argument(hook: Hook) -> inspect.Parameter | None:
    """Return the argument that takes the parameters: the one annotated with their class, or else ``params``."""
    rest = _parameters(hook)[1:]
    annotated = next((p for p in rest if _params_class(p.annotation)), None)
    return annotated or next((p for p in rest if p.name == "params"), None)


def params_name(hook: Hook) -> str | None:
    """Return the name of the argument that takes the parameters, if a hook has one."""
    argument = _params_argument(hook)
    return argument.name if argument else None


def _params_type(process_frame: Hook) -> type[Params]:
    argument = _params_argument(process_frame)
    if argument is None:
        return Params
    annotated = _params_class(argument.annotation)
    if annotated:
        return annotated
    found = getattr(function_behind(process_frame), "__globals__", {}).get("Params", Params)
    if not _is_params(found):
        msg = "Params must be a class made from byoc_kit.Params: write `class Params(byoc_kit.Params)`"
        raise ByocKitError(msg)
    return cast("type[Params]", found)


def function_behind(hook: Hook) -> Any:
    """Return the function behind a hook, which may be a decorator, a partial, a method or a callable object."""
    hook = inspect.unwrap(hook)
    while isinstance(hook, partial):
        hook = inspect.unwrap(hook.func)
    if inspect.isroutine(hook) or isinstance(hook, type):
        return getattr(hook, "__func__", hook)
    return getattr(type(hook), "__call__", hook)  # noqa: B004  # a call runs this method


def code_of(hook: Hook) -> CodeType | None:
    """Return the code of the function behind a hook, if it is written in Python."""
    return getattr(function_behind(hook), "__code__", None)


def return_line(code: CodeType) -> int:
    """Return the line of a function's ``return`` if it has exactly one, or else its first line."""
    lines = set()
    before = ("", None)
    for instruction in dis.get_instructions(code):
        this = (instruction.opname, instruction.argval)
        # The end of the function. Up to Python 3.11, a constant is loaded, then returned; then one instruction does it.
        is_end = this == ("RETURN_CONST", None) or (this[0] == "RETURN_VALUE" and before == ("LOAD_CONST", None))
        if this[0] in {"RETURN_VALUE", "RETURN_CONST"} and not is_end and instruction.positions is not None:
            lines.add(instruction.positions.lineno)
        before = this
    line = lines.pop() if len(lines) == 1 else None
    return line or code.co_firstlineno


def _check_signature(name: str, hook: Hook) -> None:
    parameters = _parameters(hook)
    given = _params_argument(hook)
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    unknown = [p.name for p in parameters[1:] if p.default is p.empty and p.kind not in variadic and p != given]
    if unknown or not parameters:
        reason = f"nothing is there to give {unknown[0]}" if unknown else "it takes no frame"
        msg = f"{name} cannot be called: {reason}; write {name}(frame) or {name}(frame, params)"
        raise ByocKitError(msg)


def _check_not_hidden(name: str, hook: Hook) -> None:
    """Raise if a hook does not show that it takes parameters, but wraps a function of the notebook that does."""
    kinds = {parameter.kind for parameter in _parameters(hook)}
    if _params_argument(hook) or not kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        return
    waiting, seen = [hook], set[int]()
    while waiting:
        wrapper = waiting.pop()
        seen.add(id(wrapper))
        for inner in filter(inspect.isfunction, _kept_by(wrapper)):
            if inner.__name__ == name and _params_argument(inner):
                msg = f"{name} takes params, which its decorator hides; put @functools.wraps on what it returns"
                raise ByocKitError(msg)
            if id(inner) not in seen:
                waiting.append(inner)


def _kept_by(wrapper: Any) -> list[Any]:
    """Return the values that a function closes over, or an object's attributes."""
    if not inspect.isfunction(wrapper):
        return list(getattr(wrapper, "__dict__", {}).values())
    kept = []
    for cell in wrapper.__closure__ or ():
        with suppress(ValueError):  # the variable has no value yet
            kept.append(cell.cell_contents)
    return kept


def _params_class(annotation: Any) -> type[Params] | None:
    """Return the parameters' class in an annotation, also in ``Look | None`` and the like."""
    candidates = [annotation, *get_args(annotation)]
    return next((found for found in candidates if _is_params(found)), None)


def _is_params(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Params)


def finished(result: Any) -> Any:
    """Return a hook's result; if the hook is async, run it to its end first."""
    return run_to_end(result) if inspect.iscoroutine(result) else result


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run a hook's coroutine, without gradients, and return or raise what it does. Blocks."""
    with _making:
        loop = _hook_loop()
    return loop.run(work)


@cache
def _hook_loop() -> LoopThread:
    # The mode belongs to the thread: entered around one hook, it would also hold for the others that run meanwhile.
    return LoopThread("async hooks", within=torch.inference_mode)
