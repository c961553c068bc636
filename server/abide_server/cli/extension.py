"""``abide-server extension``: take packages of the browser extension over, and say how browsers get them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from abide_rules.browser_policy import as_text
from abide_rules.errors import ConfigurationError
from abide_rules.i18n import _
from abide_server.cli.common import DEFAULT_DATA, Data, Json, Note, act, open_data, open_store, read_file, show
from abide_server.config import DataDir, load_settings
from abide_server.extension import PolicyFor, Published, load_published, policy_for, publish_extension
from abide_server.lock import locked

Packages = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[FILE.crx FILE.xpi]", help=_("The packages; without, show what is published.")),
]
Policy = Annotated[
    PolicyFor | None, typer.Option("--policy", help=_("Print only the policy of this browser, to be pasted elsewhere."))
]
Replace = Annotated[
    bool,
    typer.Option(
        "--replace", help=_("Publish also what browsers do not take as an update: another key, no higher version.")
    ),
]


def extension(
    packages: Packages = None,
    data: Data = DEFAULT_DATA,
    policy: Policy = None,
    replace: Replace = False,
    note: Note = "",
    json: Json = False,
) -> None:
    """Publish the packed browser extension, and print the policies that install it."""
    folder = open_data(data)
    if packages:
        asyncio.run(_publish(folder, *_two(packages), note, replace=replace))
    published = load_published(folder.extension)
    if published is None:
        raise ConfigurationError(
            _("no extension is published"), advice=_("Publish it: abide-server extension FILE.crx FILE.xpi")
        )
    url = load_settings(folder).url
    policies = {name: policy_for(name, published, url) for name in get_args(PolicyFor)}
    if policy is not None:
        show(policies[policy], as_text(policies[policy]).decode(), as_json=json)
        return
    found: dict[str, Any] = {
        "chromium_id": published.chromium_id,
        "firefox_id": published.firefox_id,
        "version": published.version,
        "xpi_signed": published.xpi_signed,
        "policies": policies,
    }
    show(found, _describe(published, policies), as_json=json)


def _two(packages: list[Path]) -> tuple[bytes, bytes]:
    by_ending = {path.suffix.lower(): path for path in packages}
    if len(packages) != 2 or set(by_ending) != {".crx", ".xpi"}:
        raise typer.BadParameter(_("give one FILE.crx and one FILE.xpi"))
    return read_file(by_ending[".crx"]), read_file(by_ending[".xpi"])


async def _publish(folder: DataDir, crx: bytes, xpi: bytes, note: str, *, replace: bool) -> None:
    async with open_store(folder) as store:
        with locked(folder.publish_lock):
            published = publish_extension(folder.extension, crx, xpi, replace=replace)
            await store.record(act("extension", published.version, note))


def _describe(published: Published, policies: dict[PolicyFor, dict[str, object]]) -> str:
    lines = [
        _("Version {version} is published.", version=published.version),
        _("Chromium, Chrome, Edge, Brave: {id}", id=published.chromium_id),
        _("Firefox: {id}", id=published.firefox_id),
    ]
    if not published.xpi_signed:
        lines.append(_("The XPI does not carry Mozilla's signature: only Firefox ESR takes it, by the policy below."))
    places: dict[PolicyFor, str] = {
        "chromium": _("Policy of Chromium and Chrome (Linux: /etc/opt/chrome/policies/managed/abide.json):"),
        "edge": _("Policy of Edge:"),
        "brave": _("Policy of Brave:"),
        "firefox": _("Policy of Firefox (policies.json):"),
    }
    return "\n".join([*lines, *(f"\n{places[name]}\n{as_text(policies[name]).decode()}" for name in places)])
