"""What go-livepeer would stop at, refuse or ignore in a file that announces a container.

The rules are those of go-livepeer 0.9.1: ``aiModels.json`` is read by ``core/ai.go`` and
``cmd/livepeer/starter/starter.go``, ``runners.json`` by ``ai/runner/live_runner.go``, ``register.json`` by
``byoc/job_orchestrator.go``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from byoc_kit.bundle.announce_fields import (
    REFUSED,
    Check,
    FileFinding,
    Type,
    is_http_url,
    is_positive,
    is_positive_whole,
    shown,
    text_of,
)
from byoc_kit.bundle.json_positions import JsonError, Kind, Node, decode_text, parse
from byoc_kit.errors import ByocKitError, printable

_PIPELINES = (
    "live-video-to-video",
    "text-to-image",
    "image-to-image",
    "image-to-video",
    "upscale",
    "audio-to-text",
    "segment-anything-2",
    "llm",
    "image-to-text",
    "text-to-speech",
)
_MODEL = {
    "pipeline": Type.TEXT,
    "model_id": Type.TEXT,
    "url": Type.TEXT,
    "token": Type.TEXT,
    "warm": Type.FLAG,
    "capacity": Type.WHOLE,
    "optimization_flags": Type.OBJECT,
    "gateway": Type.TEXT,
    "price_per_unit": Type.NUMBER,
    "pixels_per_unit": Type.NUMBER,
    "currency": Type.TEXT,
}

_RUNNER = {
    "label": Type.TEXT,
    "routing": Type.TEXT,
    "proxy": Type.FLAG,
    "runner_url": Type.TEXT,
    "version": Type.TEXT,
    "metadata": Type.TEXT,
    "mode": Type.TEXT,
    "gpu": Type.GPU,
    "app": Type.TEXT,
    "capacity": Type.WHOLE,
    "price_info": Type.OBJECT,
    "health_url": Type.TEXT,
    "healthy_status_code": Type.WHOLE,
}
_GPU = {"id": Type.TEXT, "name": Type.TEXT, "vram_mb": Type.WHOLE}
_PRICE_INFO = {"price": Type.PRICE, "currency": Type.TEXT, "unit": Type.TEXT}
_MAX_METADATA_BYTES = 1024
_FIRST_STATUS, _LAST_STATUS = 100, 599

_REGISTRATION = {
    "name": Type.TEXT,
    "description": Type.TEXT,
    "url": Type.TEXT,
    "capacity": Type.WHOLE,
    "price_per_unit": Type.WHOLE,
    "price_scaling": Type.WHOLE,
    "currency": Type.TEXT,
    "token": Type.TEXT,
}


class Format(StrEnum):
    """Which of the files one is."""

    AI_MODELS = "aiModels.json"
    RUNNERS = "runners.json"
    REGISTER = "register.json"


def check_file(path: Path) -> list[FileFinding]:
    """Return what is wrong with a file, in the order of its lines. Raises ``ByocKitError`` if it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}; give an aiModels.json, a runners.json or a register.json"
        raise ByocKitError(msg) from None
    return check_bytes(data, path.name)


def check_bytes(data: bytes, name: str) -> list[FileFinding]:
    """Return what is wrong with the content of a file of some name, in the order of its lines."""
    check = Check(data.decode(errors="replace"))
    try:
        root = parse(decode_text(data))
    except JsonError as error:
        check.say("json", error.at, f"this is not valid JSON: {error}", "correct it here")
        return check.found
    _CHECKS[format_of(root, name)](check, root)
    return sorted(check.found, key=lambda one: (one.line, one.column))


def format_of(root: Node, name: str) -> Format:
    """Tell the formats apart by their content, and by the file's name if that says nothing."""
    objects = root.items if root.kind is Kind.ARRAY else (root,)
    keys = {member.key.lower() for one in objects for member in one.members}
    telling = {
        Format.RUNNERS: {"runners", "runner_url", "health_url"},
        Format.AI_MODELS: {"pipeline", "model_id"},
        Format.REGISTER: {"name", "price_scaling"},
    }
    found = (one for one, those in telling.items() if keys & those)
    return next(found, None) or format_of_name(name) or Format.AI_MODELS


def format_of_name(name: str) -> Format | None:
    """Tell the formats apart by the file's name, such as ``my-runners.json``."""
    words = {"runner": Format.RUNNERS, "register": Format.REGISTER, "model": Format.AI_MODELS}
    return next((one for word, one in words.items() if word in name.lower()), None)


def _check_models(check: Check, root: Node) -> None:
    if root.kind is not Kind.ARRAY:
        check.say("shape", root, f"this is {root.kind}, and go-livepeer reads an array of models", "write it in [ ]")
        return
    models: list[dict[str, Node]] = []
    for entry in check.entries(root):
        model = check.fields(entry, _MODEL, unread=["container"])
        _check_model(check, entry, model)
        _check_flags(check, model)
        _check_ignored(check, model)
        _check_beside(check, model, models)
        models.append(model)


def _check_model(check: Check, entry: Node, model: Mapping[str, Node]) -> None:
    check.text("pipeline", model, entry, "live-video-to-video")
    check.one_of("pipeline", model.get("pipeline"), _PIPELINES, as_read=str.strip)
    check.text("model_id", model, entry, "tint")
    check.url("url", model.get("url"))
    check.not_negative("capacity", model.get("capacity"))
    check.not_negative("price_per_unit", model.get("price_per_unit"))
    check.currency(model.get("currency"))
    pixels = model.get("pixels_per_unit")
    if pixels is not None and not is_positive_whole(pixels):
        message = f"pixels_per_unit is {shown(pixels)}, at which go-livepeer stops on-chain"
        check.say("value", pixels, message, "write 1 or more, without a fraction")
    if all(member.key.lower() != "price_per_unit" for member in entry.members):
        message = "price_per_unit is missing: go-livepeer stops on-chain, unless its flag -pricePerUnit has a price"
        check.say("on-chain", entry, message, 'write "price_per_unit": 0 for a model that is free')


def _check_flags(check: Check, model: Mapping[str, Node]) -> None:
    flags = model.get("optimization_flags")
    for flag in flags.members if flags is not None else ():
        if flag.value.kind not in (Kind.BOOLEAN, Kind.NULL):
            check.typed(flag.key, flag.value, Type.TEXT)


def _check_ignored(check: Check, model: Mapping[str, Node]) -> None:
    """Check for what has no effect on a container of that kind."""
    has_url, is_warm = text_of(model, "url") != "", _is_warm(model)
    flags, token, capacity = (model.get(key) for key in ("optimization_flags", "token", "capacity"))
    if flags is not None and flags.members and (has_url or not is_warm):
        hint = "set them where the container is started" if has_url else 'write "warm": true'
        check.say("ignored", flags, "optimization_flags reach only a warm container that has no url", hint)
    if token is not None and token.text and not has_url:
        check.say("ignored", token, "token is sent only to a container that has a url", "take it out, or write the url")
    if capacity is not None and is_positive(capacity) and capacity.text != "1" and not has_url and not is_warm:
        check.say("ignored", capacity, "capacity has no effect without a url or warm", "take it out")


def _check_beside(check: Check, model: Mapping[str, Node], others: list[dict[str, Node]]) -> None:
    """Check a model beside those before it."""
    for other in others:
        is_same = all(text_of(model, key) == text_of(other, key) for key in ("pipeline", "model_id"))
        if is_same and "model_id" in model and _is_warm(model) != _is_warm(other):
            said, line = shown(model["model_id"]), check.line(other["model_id"])
            message = (
                f"{said} is {'warm' if _is_warm(model) else 'cold'} here and not in line {line}: go-livepeer stops"
            )
            check.say("duplicate", model.get("warm", model["model_id"]), message, "write the same warm in both")
            return
        url = text_of(model, "url").rstrip("/")
        if not is_same and url and url == text_of(other, "url").rstrip("/"):
            message = f"url is that of line {check.line(other['url'])} too, and a container serves one model"
            check.say("shared-url", model["url"], message, "write the url of its own container")
            return


def _is_warm(model: Mapping[str, Node]) -> bool:
    return text_of(model, "warm") == "true"


def _check_runners(check: Check, root: Node) -> None:
    if root.kind is not Kind.OBJECT:
        hint = 'write it in {"runners": [ ]}'
        check.say("shape", root, f"this is {root.kind}, and go-livepeer reads an object with runners", hint)
        return
    members = {member.key.lower(): member for member in root.members}
    for key, member in members.items():
        if key != "runners":
            check.unknown(member, ["runners"])
    if "runners" not in members:
        check.say("shape", root, "it has no runners", 'write {"runners": [ ]}')
        return
    runners = members["runners"].value
    if runners.kind is not Kind.ARRAY:
        check.say("shape", runners, f"runners is {shown(runners)}, and must be an array", "write it in [ ]")
        return
    lines: dict[str, int] = {}
    for entry in check.entries(runners):
        runner = check.fields(entry, _RUNNER)
        _check_runner(check, entry, runner)
        label = runner.get("label")
        if label is not None and label.text in lines:
            message = f"label {shown(label)} is that of line {lines[label.text]} too, so {REFUSED}"
            check.say("duplicate", label, message, "write a label of its own")
        elif label is not None and label.text:
            lines[label.text] = check.line(label)


def _check_runner(check: Check, entry: Node, runner: Mapping[str, Node]) -> None:
    check.text("label", runner, entry, "tint")
    check.text("app", runner, entry, "live-video-to-video/tint")
    check.text("runner_url", runner, entry, "http://localhost:8000")
    check.text("health_url", runner, entry, "/health")
    check.one_of("mode", runner.get("mode"), ("persistent", "single-shot", "single_shot"))
    check.one_of("routing", runner.get("routing"), ("runner-id", "label"), as_read=str.strip)
    check.not_negative("capacity", runner.get("capacity"))
    label, status, gpu = (runner.get(key) for key in ("label", "healthy_status_code", "gpu"))
    if label is not None and "/" in label.text and text_of(runner, "routing").strip() == "label":
        message = f"label {shown(label)} has a slash, which routing by label does not allow"
        check.say("value", label, message, f'write "{printable(label.text.replace("/", "--"))}"')
    if status is not None and int(status.text) and not _FIRST_STATUS <= int(status.text) <= _LAST_STATUS:
        check.say("value", status, f"healthy_status_code is {shown(status)}, which no answer has", "write 200")
    if gpu is not None:
        check.fields(gpu, _GPU)
    _check_urls(check, runner)
    _check_metadata(check, runner.get("metadata"))
    _check_price_info(check, entry, runner.get("price_info"))


def _check_urls(check: Check, runner: Mapping[str, Node]) -> None:
    url, health = text_of(runner, "runner_url"), runner.get("health_url")
    check.url("runner_url", runner.get("runner_url"))
    if health is None or not health.text.startswith("/"):
        check.url("health_url", health)
    elif health.text.startswith("//"):
        check.say(
            "value", health, f"health_url is {shown(health)}, which is neither a URL nor a path", 'write "/health"'
        )
    elif is_http_url(url) and urlsplit(url).path.strip("/"):
        below, at_root = url.rstrip("/") + health.text, urlsplit(url)._replace(path=health.text).geturl()
        message = f"health_url is a path below that of runner_url, so go-livepeer asks {printable(below)}"
        check.say(
            "health-url", health, message, f'write "{printable(below)}" or "{printable(at_root)}", as you mean it'
        )


def _check_metadata(check: Check, metadata: Node | None) -> None:
    if metadata is None:
        return
    said = metadata.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # as Go reads half a character
    size = len(said.encode())
    if size > _MAX_METADATA_BYTES:
        message = f"metadata has {size} bytes, and go-livepeer takes {_MAX_METADATA_BYTES}"
        check.say("value", metadata, message, "make it shorter")
    if "\ufffd" in said:
        message = f"metadata has U+FFFD in it, which stands for an unreadable character, so {REFUSED}"
        check.say("value", metadata, message, "take it out")


def _check_price_info(check: Check, entry: Node, price_info: Node | None) -> None:
    fields = check.fields(price_info, _PRICE_INFO) if price_info is not None else {}
    is_priced = price_info is not None and any(
        member.key.lower() == "price" and member.value.kind is not Kind.NULL for member in price_info.members
    )
    if not is_priced:
        hint = 'write "price_info": {"price": 0.5, "currency": "usd", "unit": "hour"}'
        check.say("on-chain", price_info or entry, f"there is no price_info with a price: on-chain {REFUSED}", hint)
    price = fields.get("price")
    if price is not None and not is_positive(price):
        check.say("value", price, f"price is {shown(price)}, and must be above 0", "write a price in US dollars")
    check.one_of("currency", fields.get("currency"), ["usd"], as_read=_trimmed_lower)
    check.one_of("unit", fields.get("unit"), ["hour", "720p", "fixed"], as_read=_trimmed_lower)


def _trimmed_lower(text: str) -> str:
    return text.strip().lower()


def _check_registration(check: Check, root: Node) -> None:
    if root.kind is not Kind.OBJECT:
        check.say("shape", root, f"this is {root.kind}, and go-livepeer reads an object", "register one at a time")
        return
    fields = check.fields(root, _REGISTRATION)
    check.text("name", fields, root, "tint")
    check.text("url", fields, root, "http://localhost:8000")
    check.url("url", fields.get("url"))
    for key in ("capacity", "price_per_unit", "price_scaling"):
        check.not_negative(key, fields.get(key))
    check.currency(fields.get("currency"))


_CHECKS = {Format.AI_MODELS: _check_models, Format.RUNNERS: _check_runners, Format.REGISTER: _check_registration}
