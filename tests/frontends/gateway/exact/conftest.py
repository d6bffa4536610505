"""What tests of exactness share."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.frontends.gateway.exact.servers import Servers


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Real servers, in processes of their own."""
    with closing(Servers(tmp_path_factory.mktemp("servers"))) as some:
        yield some
