"""What tests of every room share: a real PostgreSQL, and the two stores as addresses."""

import fcntl
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import structlog
from hypothesis import settings
from tests.postgres_pool import Pool

HOME_VARIABLE = "BUDGET_TEST_POSTGRES_HOME"
"""Where the run's server lives: set once by the process that owns the run, inherited by its workers."""

START_SECONDS_MAX = 120

# What an example takes says more of the machine and its other users than of what is tested.
settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        os.environ[HOME_VARIABLE] = str(
            Path(tempfile.gettempdir()) / f"budget-tests-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        )
        os.environ["BUDGET_TEST_OWNER_PID"] = str(os.getpid())
        # What a test expects of prices it sets itself; those of the included list ask for it.
        os.environ["BUDGET_PRICES"] = "none"


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        _stop_server(Path(os.environ[HOME_VARIABLE]))


def pytest_collection_finish() -> None:
    """What was read stays: looking for garbage in it, over and over, took a quarter of all time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True)
def logs_as_in_a_new_process() -> Iterator[None]:
    """What a test, or `capture_logs`, sets up is not there for the next one that runs in this process."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The address of the server of this run, at a database that is there for administration only."""
    elsewhere = os.environ.get("BUDGET_TEST_POSTGRES_URL")
    if elsewhere:
        return elsewhere
    answer = _server_answer(Path(os.environ[HOME_VARIABLE]))
    if "url" in answer:
        return answer["url"]
    message = (
        f"no PostgreSQL for the tests ({answer['error']}); set BUDGET_TEST_POSTGRES_URL to a server "
        "on which databases may be created"
    )
    if os.environ.get("REQUIRE_POSTGRES") == "1" or os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def postgres_pool(postgres_server: str) -> Iterator[Pool]:
    """Databases to borrow."""
    pool = Pool(postgres_server)
    yield pool
    pool.close()


@pytest.fixture
def postgres_url(postgres_pool: Pool) -> Iterator[str]:
    """A database for one test: the schema is made, and nothing is in it."""
    with postgres_pool.borrowed() as url:
        yield url


@pytest.fixture
def new_postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh database of its own for one test, without any table."""
    name = f"budget_test_{uuid.uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    yield urlunsplit(urlsplit(postgres_server)._replace(path=f"/{name}"))
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A database file that is not there yet."""
    return f"sqlite:///{tmp_path / 'budget.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """A store with nothing in it: the test runs once on each."""
    return request.getfixturevalue(
        {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def new_store_url(request: pytest.FixtureRequest) -> str:
    """A store that is not made yet: the test runs once on each."""
    return request.getfixturevalue(
        {"sqlite": "sqlite_url", "postgresql": "new_postgres_url"}[request.param]
    )


def _server_answer(home: Path) -> dict[str, str]:
    """The keeper's answer; the first worker to ask starts the keeper, all wait for it."""
    home.mkdir(mode=0o755, exist_ok=True)  # the server may run as another user than the tests
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        answer = home / "answer.json"
        if not answer.exists():
            _start_keeper(home)
            give_up_at = time.monotonic() + START_SECONDS_MAX
            while not answer.exists() and time.monotonic() < give_up_at:
                time.sleep(0.05)
        if answer.exists():
            return json.loads(answer.read_text())
    return {"error": f"it did not start; its words: {_last_words(home)}"}


def _start_keeper(home: Path) -> None:
    with (home / "keeper.log").open("wb") as log:
        subprocess.run(
            [
                sys.executable,
                str(Path(__file__).with_name("postgres_server.py")),
                str(home),
                os.environ["BUDGET_TEST_OWNER_PID"],
            ],
            # its lock and its socket are this run's own, whatever other users left on the machine
            env={**os.environ, "TMPDIR": str(home), "XDG_RUNTIME_DIR": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
        )


def _stop_server(home: Path) -> None:
    if not (home / "keeper.pid").exists():
        return
    os.kill(int((home / "keeper.pid").read_text()), signal.SIGTERM)
    give_up_at = time.monotonic() + START_SECONDS_MAX
    while home.exists() and time.monotonic() < give_up_at:
        time.sleep(0.05)


def _last_words(home: Path) -> str:
    return (home / "keeper.log").read_text(errors="replace")[-500:]
