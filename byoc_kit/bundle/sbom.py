"""``sbom.cdx.json``: an image's Python packages, in CycloneDX; the same lock gives the same bytes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from byoc_kit.bundle.lock import Lock, Locked
from byoc_kit.core.capability import Capability

if TYPE_CHECKING:  # the import reads the list of all licences
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

SBOM = "sbom.cdx.json"
_NAMESPACE = UUID("6e4f7d1c-9a55-4f0e-8f0b-8b7a4d1f6b52")


def render_sbom(lock: Lock, capability: Capability) -> str:
    """Render the components of a lock and the kit, each with what it needs.

    The kit has no hash there, and the file has no time, since both would change when nothing else does.
    """
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    root = Component(name=capability.slug, type=ComponentType.APPLICATION, bom_ref=capability.slug)
    parts = [*lock.locked, lock.kit]
    components = {one.name: _component(one) for one in parts}
    serial_number = uuid5(_NAMESPACE, f"{capability.model_id}\n{lock.text}")
    bom = Bom(components=components.values(), metadata=BomMetaData(component=root), serial_number=serial_number)
    bom.register_dependency(root, [components[name] for name in sorted({*lock.imported, lock.kit.name})])
    for one in parts:
        bom.register_dependency(components[one.name], [components[name] for name in one.needed.needs])
    content = json.loads(JsonV1Dot6(bom).output_as_string())
    del content["metadata"]["timestamp"]
    return json.dumps(content, indent=2) + "\n"


def _component(one: Locked) -> Component:
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType

    licence = one.needed.licence
    purl = _purl(one)
    return Component(
        name=one.name,
        version=one.version,
        type=ComponentType.LIBRARY,
        bom_ref=str(purl),
        purl=purl,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one.sha256)] if one.sha256 else [],
        licenses=[LicenseFactory().make_from_string(licence)] if licence else [],
    )


def _purl(one: Locked) -> PackageURL:
    """Return the package's URL; a package that was built from its own source does not have an index's URL."""
    from packageurl import PackageURL

    source = one.needed.direct_url
    vcs = source.get("vcs_info") if source else None
    if source and vcs:
        vcs_url = f"{vcs['vcs']}+{source['url']}@{vcs['commit_id']}"
        return PackageURL("generic", name=one.name, version=one.version, qualifiers={"vcs_url": vcs_url})
    return PackageURL("generic" if one.is_carried and source else "pypi", name=one.name, version=one.version)
