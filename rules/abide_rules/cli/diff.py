"""``abide-policy diff``: what a change of the policy changes."""

from __future__ import annotations

from typing import Any

import msgspec
import typer

from abide_rules.cli.output import NO, JsonFlag, PolicyFile, read_policy, show
from abide_rules.i18n import _
from abide_rules.policy import Policy


def diff(old: PolicyFile, new: PolicyFile, json: JsonFlag = False) -> None:
    """Say what is different between two policies, rule by rule. Exit 1 when something is."""
    changes = differences(read_policy(old), read_policy(new))
    if json:
        show({"same": not changes, "changes": changes})
    else:
        for change in changes:
            typer.echo(_sentence(change))
        if not changes:
            typer.echo(_("Both policies say the same."))
    if changes:
        raise SystemExit(NO)


def differences(old: Policy, new: Policy) -> list[dict[str, Any]]:
    """Return the changes as {"rule" (null: the policy itself), "change", "key", "old", "new"}, rules in the new order."""
    found = _of_mapping(None, _builtins(old, "rules"), _builtins(new, "rules"))
    before = {rule.id: rule for rule in old.rules}
    after = {rule.id: rule for rule in new.rules}
    for name in dict.fromkeys([*after, *before]):
        if name not in after:
            found.append({"rule": name, "change": "removed", "key": None, "old": before[name].verdict, "new": None})
        elif name not in before:
            found.append({"rule": name, "change": "added", "key": None, "old": None, "new": after[name].verdict})
        else:
            found += _of_mapping(name, _builtins(before[name]), _builtins(after[name]))
    return found


def _builtins(value: msgspec.Struct, *without: str) -> dict[str, Any]:
    return {key: part for key, part in msgspec.to_builtins(value).items() if key not in without}


def _of_mapping(rule: str | None, old: dict[str, Any], new: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"rule": rule, "change": "changed", "key": key, "old": old.get(key), "new": new.get(key)}
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    ]


def _sentence(change: dict[str, Any]) -> str:
    if change["change"] == "added":
        return _("+ rule {rule} is new: {new}", **change)
    if change["change"] == "removed":
        return _("- rule {rule} is gone: it said {old}", **change)
    where = _("rule {rule}", **change) if change["rule"] else _("policy")
    old, new = (_("(default)") if change[side] is None else change[side] for side in ("old", "new"))
    return _("~ {where}, {key}: {old} → {new}", where=where, key=change["key"], old=old, new=new)
