"""The one client is closed with the session."""

from collections.abc import Iterator

import pytest
from tests.providers.clients import HTTP


@pytest.fixture(scope="session", autouse=True)
def connections_closed() -> Iterator[None]:
    yield
    HTTP.close()
