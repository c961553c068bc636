"""The bench: what Abide promises in numbers, measured on this machine beside others who do the same job.

``python -m tests.bench`` writes ``var/bench.json`` and prints a table. One file per family of measurements; each runs the
real programs, and its peer in the same run. ``peers/`` has the scripts that run in the peers' own virtualenvs.
"""
