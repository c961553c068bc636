"""The server: publishes signed policies, wakes the agents, and keeps their signed events."""

__version__ = "0.1.0"
