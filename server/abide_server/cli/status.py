"""``abide-server status``: what is published, where it is in force, and what the keys' place means."""

from __future__ import annotations

import asyncio
from typing import Any

from abide_rules.i18n import _
from abide_server.cli.common import DEFAULT_DATA, Data, Json, open_data, open_store, show
from abide_server.cli.listing import describe_devices, list_devices
from abide_server.clock import as_text, system_clock
from abide_server.config import DataDir, load_settings
from abide_server.repository import Repository
from abide_server.signing import OFFLINE_ROLES, Signers


def status(data: Data = DEFAULT_DATA, json: Json = False) -> None:
    """Show releases, keys, expiry dates, devices and which release is in force on each."""
    found = asyncio.run(_collect(open_data(data)))
    show(found, _describe(found), as_json=json)


async def _collect(folder: DataDir) -> dict[str, Any]:
    signers = Signers(folder.keys)
    repository = Repository(folder.tuf, signers)
    here = signers.here()
    async with open_store(folder) as store:
        releases = await store.releases()
        return {
            "data": str(folder.root),
            "url": load_settings(folder).url,
            "versions": {
                "policy": releases[0].version if releases else 0,
                "timestamp": repository.timestamp_version(),
                "root": repository.root_version(),
            },
            "expires": repository.expiries(),
            "keys_here": list(here),
            "offline_keys_here": [role for role in OFFLINE_ROLES if role in here],
            "forgeable": any(role in here for role in OFFLINE_ROLES),
            "events": await store.count_events(),
            "releases": [
                {"version": r.version, "published": r.published, "by": r.actor, "note": r.note, "file": r.name}
                for r in releases
            ],
            "devices": await list_devices(store),
        }


def _describe(found: dict[str, Any]) -> str:
    now = system_clock()
    versions = found["versions"]
    lines = [
        _("Data in {folder}, address {url}", folder=found["data"], url=found["url"]),
        _("Newest release: {version}", version=versions["policy"] or "–"),
        _(
            "Update repository: timestamp {timestamp}, trust root {root}",
            timestamp=versions["timestamp"],
            root=versions["root"],
        ),
        _("Events stored: {count}", count=found["events"]),
        _about_keys(found["offline_keys_here"]),
    ]
    for role, expires in found["expires"].items():
        if expires <= now:
            lines.append(_("EXPIRED: {role}, since {time}", role=role, time=as_text(expires)))
    return "\n".join([*lines, "", describe_devices(found["devices"])])


def _about_keys(offline_here: list[str]) -> str:
    if not offline_here:
        return _("No key that can sign a policy lies on this host: who breaks into it cannot forge a policy.")
    return _(
        "WARNING: the signing keys {roles} lie on this host. Who breaks into it can forge a policy."
        " Move them to another machine, and publish with --key.",
        roles=", ".join(offline_here),
    )
