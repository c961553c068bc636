"""The web page at ``/``: which device enforces which release, what was published, what happened. Live."""
