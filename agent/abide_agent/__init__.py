"""The agent: a daemon on the laptop that enforces the policy in its browsers and reports signed events."""

__version__ = "0.1.0"
