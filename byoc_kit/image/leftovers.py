"""What a build leaves besides its image: the stages, which the classic builder, Podman and Buildah keep untagged."""

from __future__ import annotations

import re
import subprocess

from byoc_kit.bundle.dockerfile import LABEL

CACHE = "byoc-kit-cache"
_STEP_IMAGE = re.compile(r"^ ?--+> (?:Using cache )?([0-9a-f]{11,64})$")
_FROM_CACHE = " ---> Using cache"  # Docker's; the image follows on a line of its own
_SHOWN = 11  # Podman and Buildah show 11 digits of an image's id, Docker 12


class BuiltImages:
    """The images that one build of a model makes or takes from the cache, by what it says. Made before the build."""

    def __init__(self, engine: str, model_id: str, tag: str) -> None:
        self._engine = engine
        self._model_id = model_id
        self._named: set[str] = set()
        self._cached_before: set[str] = set()
        self._is_from_cache = False
        self._former = self._ids("images", "--quiet", "--no-trunc", tag)

    def hear(self, line: str) -> None:
        """Note the image that a line of the build's output names."""
        found = _STEP_IMAGE.match(line.rstrip())
        if found:
            self._named.add(found[1][:_SHOWN])
        if found and self._is_from_cache | ("Using cache" in line):
            self._cached_before.add(found[1][:_SHOWN])
        self._is_from_cache = line.rstrip() == _FROM_CACHE

    def tidy(self, *, is_cache: bool) -> None:
        """Name the untagged images of this build as the next one's cache, in place of the last one's, or remove them.

        The image that had the name before goes too. An untagged image of another build is left alone: that build may be
        running.
        """
        all_untagged = self._untagged()
        self._remove([image for image in all_untagged if image in self._former])
        untagged = [image for image in all_untagged if image[:_SHOWN] in self._named and image not in self._former]
        if not is_cache:
            self._remove([image for image in untagged if image[:_SHOWN] not in self._cached_before])
            return
        if not self._named:  # BuildKit keeps its cache elsewhere
            return
        for image in untagged:
            self._ask("tag", image, f"{CACHE}/{self._model_id}:{image[:12]}")
        self._remove([name for name, image in self._cached() if image[:_SHOWN] not in self._named])

    def _untagged(self) -> list[str]:
        """Return the ids of the model's images that no name and no other image holds."""
        filters = ["--filter", "dangling=true", "--filter", f"label={LABEL}={self._model_id}"]
        return self._ids("images", "--quiet", "--no-trunc", *filters)

    def _ids(self, *arguments: str) -> list[str]:
        return [image.removeprefix("sha256:") for image in dict.fromkeys(self._ask(*arguments).split())]

    def _cached(self) -> list[tuple[str, str]]:
        """Return name and id of the images of the cache."""
        shown = "{{.Repository}}:{{.Tag}} {{.ID}}" if self._engine != "buildah" else "{{.Name}}:{{.Tag}} {{.ID}}"
        listed = self._ask("images", "--no-trunc", "--format", shown, "--filter", f"label={LABEL}={self._model_id}")
        pairs = (line.split() for line in listed.splitlines())
        prefix = f"{CACHE}/{self._model_id}:"
        return [
            (name, image.removeprefix("sha256:"))
            for name, image in pairs
            if name.removeprefix("localhost/").startswith(prefix)
        ]

    def _remove(self, images: list[str]) -> None:
        if images:  # an image in use by a container stays
            self._ask("rmi", *images)

    def _ask(self, *arguments: str) -> str:
        return subprocess.run([self._engine, *arguments], capture_output=True, text=True, check=False).stdout
