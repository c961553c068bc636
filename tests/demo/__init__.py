"""The demonstration: server, agent and browser on this machine, and the story told with them.

``python -m tests.demo`` opens a browser for a person; ``--headless`` tells the whole story unattended and saves what was
seen. The end-to-end tests are built from the same parts.
"""
