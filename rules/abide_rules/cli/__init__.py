"""``abide-policy``: write, check, explain and compare policies; classify URLs; verify exports.

One file per command. Exit codes: 0 ok, 1 the answer is no, 2 wrong usage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from abide_rules.cli.check import check
from abide_rules.cli.classify import classify
from abide_rules.cli.diff import diff
from abide_rules.cli.explain import explain
from abide_rules.cli.new import new
from abide_rules.cli.output import run
from abide_rules.cli.schema import schema
from abide_rules.cli.verify import verify
from abide_rules.i18n import _


def main() -> None:
    """Run the command line."""
    commands: dict[Callable[..., Any], str] = {
        new: _("Begin a policy from a template."),
        check: _("Check a policy file: every mistake with its line, or what the policy covers."),
        explain: _("Say what a policy does when somebody visits a URL at a time, and why."),
        classify: _("Read URLs or hosts from standard input, one a line, and say which AI service each is a use of."),
        diff: _("Say what is different between two policies, rule by rule. Exit 1 when something is."),
        schema: _("Print the JSON Schema of a policy file, for editors that complete and check YAML."),
        verify: _("Prove an export offline: signatures, chains without gaps, and the server's receipts."),
    }
    run("abide-policy", _("Write, check and explain policies."), commands)
