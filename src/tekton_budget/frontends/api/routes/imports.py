"""Imports and exports: other programs' stores, taken over and given back."""

import base64
import binascii
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from tekton_budget.domain.errors import invalid
from tekton_budget.face.host_zone import host_zone
from tekton_budget.frontends.api.asking import Asker, Verbs
from tekton_budget.frontends.api.bodies.importing import (
    DatabaseExportOut,
    ExportOut,
    ImportOut,
    to_api_faults,
    to_api_import,
)
from tekton_budget.frontends.api.body import StoreRoute, exact_router
from tekton_budget.frontends.api.schemas import Body, Truth
from tekton_budget.frontends.http.wire import Reply, number
from tekton_budget.service.importing import ImportOptions, Mode

import_router: APIRouter = exact_router("/import", StoreRoute)
export_router: APIRouter = exact_router("/export")

Zone = Annotated[
    str | None,
    Query(max_length=60, description="What naive times mean; this service's host's where not said"),
]


class Binary(Body):
    """Bytes in JSON."""

    base64: str

    def content(self, field: str) -> bytes:
        """The bytes."""
        try:
            return base64.b64decode(self.base64, validate=True)
        except (binascii.Error, ValueError) as error:
            raise invalid(field, "is not base64") from error


class OptionsBody(Body):
    """What every import may be asked to do."""

    dry_run: Truth = Field(default=False, description="Plan and check; write nothing")
    shadow: Truth = Field(default=False, description="Its limits judge as if")
    enforce: Truth = Field(default=False, description="Its limits are enforced")
    until: str | None = Field(
        None,
        max_length=60,
        examples=["2026-03-01T00:00:00"],
        description="Usage at or after it is left out; without an offset, in `timezone`",
    )
    timezone: str | None = Field(
        None,
        max_length=60,
        examples=["Europe/Berlin"],
        description="What naive times mean; this service's host's where not said",
    )

    def options(self) -> ImportOptions:
        """As the service takes them."""
        if self.shadow and self.enforce:
            raise invalid("shadow", "send shadow or enforce, not both")
        mode = Mode.SHADOW if self.shadow else Mode.ENFORCE if self.enforce else Mode.KEEP
        return ImportOptions(
            timezone=self.timezone or host_zone(),
            dry_run=self.dry_run,
            mode=mode.value,
            until=self.until,
        )


class ApolloBody(OptionsBody):
    """Apollo's files by name: their text, or `{"base64": …}`."""

    files: dict[str, str | Binary] = Field(examples=[{"budget_policies.json": "[]"}])

    def contents(self) -> dict[str, bytes]:
        """Their bytes."""
        return {
            name: file.encode() if isinstance(file, str) else file.content(f"files.{name}")
            for name, file in self.files.items()
        }


@import_router.post("/apollo", response_model=ImportOut)
def import_apollo(body: ApolloBody, asker: Asker, verbs: Verbs) -> Reply:
    """Take over Apollo's usage and limits, each once, and check that both sides agree.

    Again, or with more files, it adds only what is new. For admin and operator keys that are not
    bound to labels.
    """
    return Reply(to_api_import(verbs.imports.apollo(asker, body.contents(), body.options())))


class RhetorBody(OptionsBody):
    """Rhetor's database, and what SQLite keeps beside it."""

    database: Binary = Field(examples=[{"base64": "U1FMaXRlIGZvcm1hdCAzAA=="}])
    beside: dict[Literal["-wal", "-journal"], Binary] = Field(
        default_factory=dict, description="The files next to it, by the end of their names"
    )


@import_router.post("/rhetor", response_model=ImportOut)
def import_rhetor(body: RhetorBody, asker: Asker, verbs: Verbs) -> Reply:
    """Take over Rhetor's usage, each row at its own cost, and its limits with their history.

    Again, it adds only what is new. For admin and operator keys that are not bound to labels.
    """
    beside: dict[str, bytes] = {
        end: file.content(f"beside.{end}") for end, file in body.beside.items()
    }
    database = body.database.content("database")
    report = verbs.imports.rhetor(asker, database, body.options(), beside=beside)
    return Reply(to_api_import(report))


@export_router.get("/rhetor", response_model=DatabaseExportOut)
def export_rhetor(asker: Asker, verbs: Verbs, timezone: Zone = None) -> Reply:
    """What was imported from Rhetor and what was recorded since, as a database that it opens."""
    written = verbs.exports.rhetor(asker, timezone or host_zone())
    return Reply(
        {
            "database": {"base64": base64.b64encode(written.content).decode()},
            "records": written.records,
            "tokens": written.tokens,
            "cost": number(written.cost),
            "policies": written.policies,
            "faults": to_api_faults(written.faults),
        }
    )


@export_router.get("/apollo", response_model=ExportOut)
def export_apollo(asker: Asker, verbs: Verbs, timezone: Zone = None) -> Reply:
    """What was imported from Apollo and what was recorded since, as files that Apollo opens."""
    written = verbs.exports.apollo(asker, timezone or host_zone())
    return Reply(
        {
            "files": {name: content.decode() for name, content in written.files.items()},
            "records": written.records,
            "tokens": written.tokens,
            "policies": written.policies,
            "faults": to_api_faults(written.faults),
        }
    )
