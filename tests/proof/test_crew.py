"""The service's log while a proof runs: in a file, and afterwards as it was."""

from pathlib import Path

import structlog

from tekton_budget.proof.crew import quietened


def test_the_log_goes_to_a_file_and_afterwards_where_the_program_sent_it(tmp_path: Path) -> None:
    own = structlog.ReturnLoggerFactory()
    structlog.configure(logger_factory=own)

    with quietened(tmp_path):
        structlog.get_logger().warning("in the proof")

    assert "in the proof" in (tmp_path / "service.log").read_text()
    assert structlog.get_config()["logger_factory"] is own


def test_a_program_without_ideas_of_logs_has_none_afterwards(tmp_path: Path) -> None:
    """Else the library would take them for the program's own, and write debug lines to its output."""
    assert not structlog.is_configured()

    with quietened(tmp_path):
        assert structlog.is_configured()

    assert not structlog.is_configured()
