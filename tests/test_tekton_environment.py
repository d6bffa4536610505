"""Tekton's environment: which files are read, which goes before which, and what they mean here."""

import os
from pathlib import Path

import pytest

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.settings import LogFormat, load_settings
from tekton_budget.tekton_environment import adopt, tekton_environment

TEKTON_VARIABLES = ("BUDGET_", "HERMES_", "PENIA_", "TEKTON_", "_TEKTON")


class Place:
    """A user's home and a Tekton of its own, with whatever files a test writes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = folder / "home"
        self.root = folder / "Tekton"
        self._monkeypatch = monkeypatch
        for one in (self.home, self.root, folder / "here"):
            one.mkdir()
        for name in list(os.environ):
            if name.startswith(TEKTON_VARIABLES):
                monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(self.home))
        monkeypatch.setenv("TEKTON_ROOT", str(self.root))
        monkeypatch.chdir(folder / "here")

    def env(self, **variables: str) -> None:
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    def outside(self) -> None:
        self._monkeypatch.delenv("TEKTON_ROOT")

    def write(self, *, home: str = "", tekton: str = "", local: str = "") -> None:
        (self.home / ".env").write_text(home)
        (self.root / ".env.tekton").write_text(tekton)
        (self.root / ".env.local").write_text(local)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


def test_each_file_goes_before_those_that_come_first(place: Place) -> None:
    place.env(BUDGET_PORT="8101", BUDGET_QUEUE_MAX="1", BUDGET_BATCH_MAX="1")
    place.write(
        home="BUDGET_PORT=8102\nBUDGET_QUEUE_MAX=2\nBUDGET_BATCH_MAX=2",
        tekton="BUDGET_PORT=8103\nBUDGET_QUEUE_MAX=3",
        local="BUDGET_PORT=8104",
    )

    settings = load_settings()

    assert (settings.port, settings.queue_max, settings.batch_max) == (8104, 3, 2)
    assert load_settings(port=8105).port == 8105  # an option is nearer than any of them


def test_no_file_is_read_outside_of_tekton(place: Place) -> None:
    place.write(home="BUDGET_PORT=8102", tekton="BUDGET_PORT=8103", local="BUDGET_PORT=8104")
    place.outside()

    assert load_settings().port == 8013


def test_a_child_of_the_launcher_reads_no_file_again(place: Place) -> None:
    place.env(_TEKTON_ENV_FROZEN="1", BUDGET_PORT="8101", TEKTON_LOG_LEVEL="WARN")
    place.write(local="BUDGET_PORT=8104")

    settings = load_settings()

    assert settings.port == 8101
    assert settings.log_level == "WARNING"  # variables mean what they mean all the same


def test_lines_are_read_as_tekton_reads_them(place: Place) -> None:
    place.write(
        tekton=(
            "# BUDGET_PORT=1\n\nno equals sign\n"
            '  BUDGET_DATABASE_URL = "sqlite:////a=b.db"  \n'
            "BUDGET_ASSUME_MODEL='gpt-5-mini'\nBUDGET_TIMEZONE=UTC\r\n=nothing\n"
        )
    )

    settings = load_settings()

    assert settings.port == 8013
    assert settings.database_url == "sqlite:////a=b.db"
    assert settings.assume_model == "gpt-5-mini"
    assert settings.timezone == "UTC"


def test_only_what_this_program_reads_is_taken(place: Place) -> None:
    place.write(local="PATH=/nowhere\nLD_PRELOAD=x.so\nOPENAI_API_KEY=sk-1\nBUDGET_KEY=tb_1")

    assert set(tekton_environment().files) == {"OPENAI_API_KEY", "BUDGET_KEY"}


def test_a_file_does_not_move_tekton(place: Place) -> None:
    place.write(tekton="TEKTON_ROOT=/elsewhere")

    assert tekton_environment().root == place.root


def test_what_files_say_can_be_adopted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    place.write(local="OPENAI_API_KEY=sk-1\nBUDGET_KEY=tb_1")
    adopt()

    assert (os.environ["OPENAI_API_KEY"], os.environ["BUDGET_KEY"]) == ("sk-1", "tb_1")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_cannot_be_read_is_named(place: Place) -> None:
    place.write(local="BUDGET_PORT=8104")
    (place.root / ".env.local").chmod(0)

    with pytest.raises(InvalidInput, match=r"Cannot read .*\.env\.local"):
        load_settings()


def test_a_folder_in_place_of_a_file_is_named(place: Place) -> None:
    (place.root / ".env.local").mkdir()

    with pytest.raises(InvalidInput, match=r"Cannot read .*\.env\.local"):
        load_settings()


def test_the_database_has_a_file_of_its_own_in_tektons_data(place: Place) -> None:
    usual = place.root / ".tekton" / "data" / "budget" / "tekton-budget.db"
    assert load_settings().database_url == f"sqlite:///{usual}"

    place.env(TEKTON_DATA_DIR="/srv/data")
    assert load_settings().database_url == "sqlite:////srv/data/budget/tekton-budget.db"

    place.env(TEKTON_DATA_DIR="state")
    usual = place.root / "state" / "budget" / "tekton-budget.db"
    assert load_settings().database_url == f"sqlite:///{usual}"

    place.env(BUDGET_DATABASE_URL="postgresql:///budget")
    assert load_settings().database_url == "postgresql:///budget"


def test_penias_port_is_budgets_unless_that_has_its_own(place: Place) -> None:
    place.outside()
    place.env(PENIA_PORT="8113")
    assert load_settings().port == 8113
    assert tekton_environment().penia_differs() is None

    place.env(BUDGET_PORT="8013")
    assert load_settings().port == 8013
    assert tekton_environment().penia_differs() == "8113"


def test_a_faulty_variable_is_named_by_who_said_it(place: Place) -> None:
    place.env(PENIA_PORT="many")
    with pytest.raises(InvalidInput, match="PENIA_PORT: "):
        load_settings()

    place.env(PENIA_PORT="8013", BUDGET_PORT="few")
    with pytest.raises(InvalidInput, match="BUDGET_PORT: "):
        load_settings()

    place.env(BUDGET_PORT="8013", TEKTON_HERMES_DISCOVERY="perhaps")
    with pytest.raises(InvalidInput, match="TEKTON_HERMES_DISCOVERY: "):
        load_settings()


@pytest.mark.parametrize("text", ["localhost:8001", "ftp://hermes", "http://", "http://h:x", "a b"])
def test_a_hermes_that_is_no_address_is_refused(place: Place, text: str) -> None:
    place.env(HERMES_URL=text)

    with pytest.raises(InvalidInput, match=r"HERMES_URL: .*http://localhost:8001"):
        load_settings()


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, None),
        ({"HERMES_URL": "http://h:9/"}, "http://h:9"),
        ({"HERMES_PORT": "8101"}, "http://localhost:8101"),
        ({"HERMES_HOST": "hermes"}, "http://hermes:8001"),
        ({"HERMES_PORT": "8101", "TEKTON_HOST": "here"}, "http://here:8101"),
        ({"HERMES_PORT": "8101", "TEKTON_HOST": "0.0.0.0"}, "http://localhost:8101"),
        ({"HERMES_PORT": "8101", "HERMES_HOST": "::1"}, "http://[::1]:8101"),
        ({"HERMES_URL": "http://h:9", "HERMES_PORT": "8101"}, "http://h:9"),
        ({"HERMES_URL": "http://h:9", "TEKTON_HERMES_DISCOVERY": "false"}, None),
        ({"BUDGET_HERMES_URL": "http://h:9", "TEKTON_HERMES_DISCOVERY": "false"}, "http://h:9"),
        ({"HERMES_URL": "http://h:9", "BUDGET_HERMES_URL": ""}, None),
    ],
)
def test_where_hermes_is(place: Place, variables: dict[str, str], url: str | None) -> None:
    place.env(**variables)

    assert load_settings().hermes_url == url


def test_outside_of_tekton_hermes_has_to_be_named_by_its_address(place: Place) -> None:
    place.outside()
    place.env(HERMES_PORT="8001", HERMES_HOST="localhost", TEKTON_HERMES_DISCOVERY="false")
    assert load_settings().hermes_url is None

    place.env(HERMES_URL="http://localhost:8001")
    assert load_settings().hermes_url == "http://localhost:8001"


def test_what_tekton_says_to_all_components_is_kept(place: Place) -> None:
    place.write(
        tekton=(
            "TEKTON_LOG_LEVEL=TRACE\nTEKTON_LOG_FORMAT=json\nTEKTON_MCP_ENABLED=false\n"
            "TEKTON_HOST=box\nHERMES_REGISTRATION_TIMEOUT=7\nHERMES_HEALTH_CHECK_INTERVAL=60\n"
        )
    )

    settings = load_settings()

    assert settings.log_level == "DEBUG"
    assert settings.log_format is LogFormat.JSON
    assert settings.mcp_enabled is False
    assert settings.public_host == "box"
    assert settings.host == "127.0.0.1"  # who builds addresses of it opens nothing by that
    assert (settings.hermes_timeout_seconds, settings.hermes_interval_seconds) == (7, 30)


def test_the_dashboards_port_says_whose_pages_may_call(place: Place) -> None:
    place.write(tekton="HEPHAESTUS_PORT=8180")
    assert load_settings().cors_origins == ("http://localhost:8180", "http://127.0.0.1:8180")

    place.env(BUDGET_CORS_ORIGINS='["https://ui.example"]')
    assert load_settings().cors_origins == ("https://ui.example",)

    place.write(tekton="HEPHAESTUS_PORT=web")
    with pytest.raises(InvalidInput, match="HEPHAESTUS_PORT: "):
        load_settings()


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://localhost:8013"),
        ({"host": "0.0.0.0"}, "http://localhost:8013"),
        ({"host": "::"}, "http://localhost:8013"),
        ({"host": "::1"}, "http://[::1]:8013"),
        ({"host": "10.0.0.5"}, "http://10.0.0.5:8013"),
        ({"host": "0.0.0.0", "public_host": "box"}, "http://box:8013"),
        ({"public_host": "fd00::1"}, "http://[fd00::1]:8013"),
    ],
)
def test_where_other_components_find_this_one(
    place: Place, settings: dict[str, str], url: str
) -> None:
    place.outside()

    assert load_settings(**settings).public_url(8013) == url


def test_debugging_is_a_level_where_no_level_is_said(place: Place) -> None:
    place.env(TEKTON_DEBUG="true")
    assert load_settings().log_level == "DEBUG"

    place.env(TEKTON_LOG_LEVEL="ERROR")
    assert load_settings().log_level == "ERROR"

    place.env(BUDGET_LOG_LEVEL="info")
    assert load_settings().log_level == "INFO"


def test_tektons_variables_mean_nothing_outside_of_it(place: Place) -> None:
    place.outside()
    place.env(
        TEKTON_LOG_LEVEL="ERROR",
        TEKTON_LOG_FORMAT="json",
        TEKTON_MCP_ENABLED="false",
        TEKTON_HOST="box",
        TEKTON_DATA_DIR="/srv",
        TEKTON_DEBUG="sure",
        HERMES_HEALTH_CHECK_INTERVAL="often",
    )

    settings = load_settings()

    assert settings.log_level == "INFO"
    assert settings.mcp_enabled is True
    assert settings.public_host is None
    assert "/srv" not in settings.database_url


@pytest.mark.parametrize("word", ["compact", "standard", "detailed", "debug", "minimal", "TEXT"])
def test_tektons_words_for_lines_are_lines_for_people(place: Place, word: str) -> None:
    place.env(BUDGET_LOG_FORMAT=word)

    assert load_settings().log_format is LogFormat.TEXT


def test_our_own_file_goes_before_what_tekton_says_to_all(place: Place) -> None:
    Path("budget.toml").write_text('log_level = "ERROR"\n')
    place.env(TEKTON_LOG_LEVEL="DEBUG")

    assert load_settings().log_level == "ERROR"


def test_providers_by_name_may_stand_in_tektons_files(place: Place) -> None:
    place.write(local="BUDGET_UPSTREAM_OPENAI=https://a.example/v1")

    assert load_settings().upstreams == {"openai": "https://a.example/v1"}
