"""Other programs' stores: taken over, and given back."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tekton_budget.face.host_zone import host_zone
from tekton_budget.face.request import Json, Request, given, same, verb

# A store is read, posted and checked before there is an answer.
IMPORT_SECONDS = 3600


class MovingVerbs:
    """Imports and exports."""

    @verb
    def import_apollo(
        self,
        files: Mapping[str, str | bytes],
        *,
        dry_run: bool = False,
        shadow: bool = False,
        enforce: bool = False,
        until: datetime | str | None = None,
        timezone: str | None = None,
    ) -> Request[Json]:
        """Take over Apollo's files, by name: usage and limits, each once; then check both sides.

        `timezone` says what its naive times mean; left out, this host's. `until`: usage at or after
        it is left out. `shadow` makes its limits judge as if, `enforce` for good; neither leaves
        known ones as they are and enforces new ones.
        """
        body = {
            "files": {name: _sent(content) for name, content in files.items()},
            **_options(
                dry_run=dry_run,
                shadow=shadow,
                enforce=enforce,
                until=until,
                timezone=timezone,
            ),
        }
        return _importing("import_apollo", "/import/apollo", body)

    @verb
    def import_rhetor(
        self,
        database: bytes,
        *,
        beside: Mapping[str, bytes] | None = None,
        dry_run: bool = False,
        shadow: bool = False,
        enforce: bool = False,
        until: datetime | str | None = None,
        timezone: str | None = None,
    ) -> Request[Json]:
        """Take over Rhetor's `rhetor.db`, costs as it charged them; else as `import_apollo`.

        `beside` has what SQLite keeps next to the file, by ending: `-wal`, `-journal`.
        """
        body = {
            "database": as_base64(database),
            **given(beside={end: as_base64(content) for end, content in (beside or {}).items()}),
            **_options(
                dry_run=dry_run,
                shadow=shadow,
                enforce=enforce,
                until=until,
                timezone=timezone,
            ),
        }
        return _importing("import_rhetor", "/import/rhetor", body)

    @verb
    def export_apollo(self, *, timezone: str | None = None) -> Request[Json]:
        """What was imported from Apollo and recorded since, as `{"files": {name: text}, …}`."""
        query = {"timezone": timezone or host_zone()}
        return _exporting("export_apollo", "/export/apollo", query)

    @verb
    def export_rhetor(self, *, timezone: str | None = None) -> Request[Json]:
        """What was imported from Rhetor and recorded since: `{"database": {"base64": …}, …}`."""
        query = {"timezone": timezone or host_zone()}
        return _exporting("export_rhetor", "/export/rhetor", query)


def _options(
    *,
    dry_run: bool,
    shadow: bool,
    enforce: bool,
    until: datetime | str | None,
    timezone: str | None,
) -> dict[str, Any]:  # Any: JSON
    return given(
        dry_run=dry_run or None,
        shadow=shadow or None,
        enforce=enforce or None,
        until=until.isoformat() if isinstance(until, datetime) else until,
        timezone=timezone or host_zone(),
    )


def _importing(name: str, path: str, body: Mapping[str, Any]) -> Request[Json]:
    return Request(name, "POST", path, same, body=body, wait_seconds=IMPORT_SECONDS)


def _exporting(name: str, path: str, query: Mapping[str, Any]) -> Request[Json]:
    return Request(name, "GET", path, same, query=query, wait_seconds=IMPORT_SECONDS)


def _sent(content: str | bytes) -> str | dict[str, str]:
    """A file's text; what is none, as it is."""
    if isinstance(content, str):
        return content
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return as_base64(content)
    return as_base64(content) if "\0" in text else text


def as_base64(content: bytes) -> dict[str, str]:
    """Bytes in JSON."""
    return {"base64": base64.b64encode(content).decode()}
