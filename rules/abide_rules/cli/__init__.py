"""``abide-policy``: write, check, explain and compare policies; classify URLs; verify exports.

One file per command. Exit codes: 0 ok, 1 the answer is no, 2 wrong usage.
"""

from __future__ import annotations

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
    run("abide-policy", _("Write, check and explain policies."), new, check, explain, classify, diff, schema, verify)
