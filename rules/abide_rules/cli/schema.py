"""``abide-policy schema``: the JSON Schema of a policy file, for editors."""

from __future__ import annotations

import typer

from abide_rules.policy_file import json_schema


def schema() -> None:
    """Print the JSON Schema of a policy file, for editors that complete and check YAML."""
    typer.echo(json_schema().decode(), nl=False)
