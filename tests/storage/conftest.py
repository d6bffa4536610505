"""What tests of storage share: a ledger on each store."""

import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from tests.storage.workbench import Bench, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bench(store_url: str, clock: Clock) -> Iterator[Bench]:
    """A ledger whose time stands still; at the end everything is recounted."""
    with Bench(store_url, clock=clock) as bench:
        yield bench
        bench.check()


@pytest.fixture(scope="module")
def postgres_of_the_module(postgres_server: str) -> Iterator[str]:
    """One database for all tests of a module."""
    name = f"budget_test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    yield urlunsplit(urlsplit(postgres_server)._replace(path=f"/{name}"))
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
