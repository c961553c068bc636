"""``abide-agent``: one file per command.

What must start fast or stay small (``native-host``, ``run``) is dispatched here, before anything else is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 ok, 1 the answer is no, 2 usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["native-host"] and not {"--help", "--json"} & set(given):
        from abide_agent.native_host import main as native_host

        return native_host(given[1:])
    if given[:1] == ["run"] and "--help" not in given:
        from abide_agent.cli.run import main as run

        return run(given[1:])
    from abide_agent.cli.app import main as other

    return other(given)
