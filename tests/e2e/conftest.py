"""Every story that takes ``browser`` is told in each browser."""

from __future__ import annotations

import pytest

from tests.demo.driver import BROWSERS


@pytest.fixture(scope="session", params=BROWSERS)
def browser(request: pytest.FixtureRequest) -> str:
    """The name of the browser in which the story is told."""
    name: str = request.param
    return name
