"""Settings come from options, then the environment, then a file; a faulty one is named."""

from pathlib import Path

import pytest

from tekton_budget.domain.errors import InvalidInput
from tekton_budget.domain.policy import Holding
from tekton_budget.settings import DenialStatus, Mode, Unbudgeted, Unmetered, load_settings


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_anything_set_it_listens_on_loopback_over_a_file_of_the_users() -> None:
    settings = load_settings()

    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8013, 1)
    assert settings.database_url.startswith("sqlite:///")
    assert settings.database_url.endswith("tekton-budget/budget.db")
    ledger = settings.ledger()
    assert (ledger.shadow, ledger.deny_unbudgeted, ledger.timezone) == (False, False, "UTC")


def test_options_win_over_the_environment_and_that_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "budget.toml").write_text('port = 1\nhost = "10.0.0.1"\nmode = "shadow"\n')
    monkeypatch.setenv("BUDGET_PORT", "2")
    monkeypatch.setenv("BUDGET_UNBUDGETED", "deny")

    settings = load_settings(port=3, host=None)
    assert (settings.port, settings.host) == (3, "10.0.0.1")
    assert (settings.mode, settings.unbudgeted) == (Mode.SHADOW, Unbudgeted.DENY)
    assert load_settings().port == 2
    assert settings.ledger().shadow


def test_a_file_elsewhere_is_named(tmp_path: Path) -> None:
    elsewhere = tmp_path / "other.toml"
    elsewhere.write_text('timezone = "Europe/Berlin"\n')

    assert load_settings(elsewhere).timezone == "Europe/Berlin"
    with pytest.raises(InvalidInput, match="no file"):
        load_settings(tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BUDGET_PORT", "many"),
        ("BUDGET_MODE", "half"),
        ("BUDGET_TIMEZONE", "Europe/Berlln"),
        ("BUDGET_WORKERS", "0"),
        ("BUDGET_OUTBOX_DAYS", "-1"),
        ("BUDGET_DENIAL_STATUS", "403"),
        ("BUDGET_GATEWAY_WAIT", "301"),
        ("BUDGET_GATEWAY_WAIT", "nan"),
        ("BUDGET_GATEWAY_HOLD", "half"),
        ("BUDGET_GATEWAY_UNMETERED", "maybe"),
        ("BUDGET_GATEWAY_OUTPUT_TOKENS", "0"),
        ("BUDGET_GATEWAY_MIN_GRANT", "0"),
        ("BUDGET_GATEWAY_GROWING_SLICE", "0"),
        ("BUDGET_GATEWAY_GROWING_MARGIN", "-1"),
    ],
)
def test_a_faulty_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(InvalidInput) as refused:
        load_settings()
    assert [fault.field for fault in refused.value.fields] == [name]
    assert refused.value.code == "setting_invalid"


def test_the_admin_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGET_ADMIN_KEY", "tb_live_secret")

    assert "tb_live_secret" not in repr(load_settings())


def test_the_gateway_is_set_up_by_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    assert (settings.denial_status, settings.gateway_wait) == (402, 10)
    assert (settings.gateway_hold, settings.gateway_unmetered) == (Holding.FULL, Unmetered.REFUSE)
    assert (settings.gateway_output_tokens, settings.gateway_min_grant) == (None, 16)
    assert (settings.gateway_growing_slice, settings.gateway_growing_margin) == (1024, 64)

    for name, value in (
        ("DENIAL_STATUS", "429"),
        ("GATEWAY_WAIT", "0.5"),
        ("GATEWAY_HOLD", "growing"),
        ("GATEWAY_UNMETERED", "pass"),
        ("GATEWAY_OUTPUT_TOKENS", "4096"),
    ):
        monkeypatch.setenv(f"BUDGET_{name}", value)
    settings = load_settings()

    assert settings.denial_status is DenialStatus.TOO_MANY_REQUESTS
    assert settings.gateway_wait == 0.5
    assert (settings.gateway_hold, settings.gateway_unmetered) == (Holding.GROWING, Unmetered.PASS)
    assert settings.gateway_output_tokens == 4096
