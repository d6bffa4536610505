"""Files for the price book: cards to take over, names to try."""

import hashlib
from typing import Any

from pydantic import Field

from tekton_budget.domain.errors import invalid
from tekton_budget.frontends.api.asking import Asker, IdempotencyKey, Verbs
from tekton_budget.frontends.api.bodies.costs import CaseOut, to_api_case
from tekton_budget.frontends.api.bodies.prices import LoadedOut, to_api_loaded
from tekton_budget.frontends.api.bodies.spending import retry_of
from tekton_budget.frontends.api.body import FileRoute, exact_router
from tekton_budget.frontends.api.schemas import Body
from tekton_budget.frontends.http.wire import Reply
from tekton_budget.service.asking.commands import content_of

router = exact_router("/prices", FileRoute)

Json = dict[str, Any]  # Any: JSON, a file's own


class LoadBody(Body):
    """Cards to take over: by name, as in files of cases, or as a list."""

    rate_cards: Json | None = Field(None, description="Cards by names that are only theirs here")
    cards: list[Any] | None = Field(None, description="The same without names")
    source: str = Field(
        "loaded", min_length=1, max_length=200, description="Where cards come from that do not say"
    )


class NamesBody(Body):
    """A file of names with what each should mean: the format `name-cases/1`."""

    file: Json


@router.post("/load", status_code=201, response_model=LoadedOut)
def load_cards(body: LoadBody, asker: Asker, verbs: Verbs, key: IdempotencyKey = None) -> Reply:
    """Take over many cards at once, all or none; known from now on, valid by their own dates."""
    if (body.rate_cards is None) == (body.cards is None):
        raise invalid("rate_cards", "send either rate_cards or cards")
    cards: object = body.cards if body.rate_cards is None else {"rate_cards": body.rate_cards}
    sent = content_of(body.given())  # up to 8 MiB: what is kept of it, to tell a retry, is a digest
    retry = retry_of("loads", key, {"cards": hashlib.sha256(sent.encode()).hexdigest()})
    made = verbs.prices.load_cards(asker, cards, body.source, retry=retry)
    return Reply(to_api_loaded(made), status_code=201)


@router.post("/names/check", response_model=list[CaseOut])
def check_names(body: NamesBody, verbs: Verbs) -> Reply:
    """Each name of a file, resolved and priced by the book, and what differs; nothing is set."""
    return Reply([to_api_case(row) for row in verbs.book.check_names(body.file)])
