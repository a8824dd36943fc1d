"""One table of all the ways that the clip's frames went: a row each, those too that were not gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass

from byoc_kit.verify.replay import Outcome, Replay
from byoc_kit.verify.result import Result
from byoc_kit.verify.streamed import Streamed

HEADS = ("", "frames", "max difference", "PSNR", "SSIM", "latency p50", "p95", "")


@dataclass(frozen=True)
class Row:
    """One way: its name, its figures as text, and in ``note`` what they are of, or why there are none."""

    name: str
    frames: str = ""
    max_diff: str = ""
    psnr: str = ""
    ssim: str = ""
    p50: str = ""
    p95: str = ""
    note: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """The texts in the order of :data:`HEADS`."""
        return astuple(self)

    @property
    def is_run(self) -> bool:
        """Whether it has figures."""
        return bool(self.frames)


def rows(result: Result) -> list[Row]:
    """Return the notebook, the module, the server and the container."""
    return [_notebook(result), _module(result), *_streams(result)]


def _notebook(result: Result) -> Row:
    if result.notebook is None:
        return Row("notebook", note="not run: --skip-notebook")
    return _replayed("notebook", result.notebook, "", "what the others are compared with")


def _module(result: Result) -> Row:
    if result.module is None:
        return Row("module")
    difference = result.difference
    if difference is None:
        return _replayed("module", result.module, "", "the notebook gave nothing to compare it with")
    is_known = difference.is_alike and (difference.max_abs_diff > 0 or not difference.text)
    value = str(difference.max_abs_diff) if is_known else ""
    return _replayed("module", result.module, value, difference.text or "with requirements.lock alone")


def _replayed(name: str, one: Replay, max_diff: str, note: str) -> Row:
    if one.fault:
        return Row(name, note=one.failure)
    made, dropped, raised = (one.count(outcome) for outcome in Outcome)
    frames = f"{made} of {len(one.frames)}"
    left = [f"{count} {outcome}" for outcome, count in (("dropped", dropped), ("raised", raised)) if count]
    p50, p95 = _percentiles(one.took_ms())
    return Row(name, frames, max_diff, p50=p50, p95=p95, note=", ".join([*left, note]))


def _streams(result: Result) -> tuple[Row, Row]:
    served = next((one for one in result.streams if one.where.is_here), None)
    contained = next((one for one in result.streams if not one.where.is_here), None)
    server = "server over trickle"
    container = f"container at {contained.where.url}" if contained and contained.where.url else "container"
    return (
        _streamed(server, served, result) if served else Row(server, note=f"not run: {result.not_served}"),
        _streamed(container, contained, result)
        if contained
        else Row(container, note="not run: no --image and no --url"),
    )


def _streamed(name: str, one: Streamed, result: Result) -> Row:
    if one.broken and not one.received:
        return Row(name, note=one.broken)
    compared = sum(frame.quality is not None for frame in one.frames)
    against = "notebook" if result.truth is result.notebook else "module"
    p50, p95 = _percentiles(one.latency_ms())
    said = f"{compared} of them compared with the {against}'s, after the codec" if compared else ""
    return Row(
        name,
        f"{len(one.received)} of {len(one.wanted)}",
        psnr=f"{one.mean_psnr_db:.1f} dB" if compared else "",
        ssim=f"{one.mean_ssim:.4f}" if compared else "",
        p50=p50,
        p95=p95,
        note="; ".join(filter(None, [one.broken, one.misfit or said, one.why_fewer])),
    )


def _percentiles(ms: Mapping[str, float]) -> tuple[str, str]:
    return (f"{ms['p50']:.0f} ms", f"{ms['p95']:.0f} ms") if ms else ("", "")
