"""The licences of what the agent is built from: they travel with it."""

from __future__ import annotations

from importlib.metadata import Distribution, distributions
from pathlib import Path

NOT_SHIPPED = {"abide-policy", "altgraph", "packaging", "pip", "pyinstaller-hooks-contrib", "setuptools"}


def third_party(venv: Path) -> str:
    """Return names, versions and licence texts of everything that is installed in a virtualenv."""
    (site,) = venv.glob("lib/python*/site-packages")
    found = sorted(distributions(path=[str(site)]), key=lambda d: d.name.lower())
    return "\n\n".join(_one(distribution) for distribution in found if distribution.name.lower() not in NOT_SHIPPED)


def _one(distribution: Distribution) -> str:
    metadata = distribution.metadata.json
    name = metadata.get("license_expression") or str(metadata.get("license", "")).partition("\n")[0]
    files = [file for file in distribution.files or () if _is_licence(file.name) and ".dist-info" in str(file)]
    texts = [Path(str(file.locate())).read_text("utf-8", "replace").strip() for file in files]
    return "\n\n".join([f"==== {distribution.name} {distribution.version} ({name})", *texts])


def _is_licence(name: str) -> bool:
    return name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE"))
