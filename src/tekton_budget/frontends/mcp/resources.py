"""Resources: where limits stand, the policies, their balances, and prices, each by an address."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from tekton_budget.domain.errors import NotFound
from tekton_budget.frontends.http.wire import encode
from tekton_budget.frontends.mcp.desk import Desk
from tekton_budget.frontends.mcp.reading import limit_of, standing

Json = Mapping[str, Any]  # Any: decoded JSON

STATUS_URI = "budget://status"
POLICIES_LISTED = 50
GROUPS_SHOWN = 50
_ADDRESS = re.compile(r"([a-z]+)://(.+)", re.DOTALL)
_PASSING = ("last_judged_at",)  # of every call; what changed then is the balance


class Listed(NamedTuple):
    """One resource of the list."""

    uri: str
    name: str
    says: str


@dataclass(frozen=True, slots=True)
class Template:
    """Resources that are too many to list."""

    pattern: str
    name: str
    says: str


TEMPLATES = (
    Template("policy://{policy}", "policy", "A limit: amounts, scope, period. By id or name."),
    Template("balance://{policy}", "balance", "Its groups with what is spent, held and left."),
    Template("balance://{policy}/{group}", "balance of a group", "The same of one group alone."),
    Template(
        "price://{provider}/{model}", "price", "What a model costs, in USD per 1,000,000 tokens."
    ),
)
_STATUS = Listed(
    STATUS_URI, "budget status", "What is left for these calls: one sentence, and every limit."
)


async def listed(desk: Desk, cursor: str | None) -> tuple[list[Listed], str | None]:
    """A page: the status, then each policy with its balance."""
    page = await desk.face.policies(after=cursor, limit=POLICIES_LISTED)
    found = [_STATUS] if cursor is None else []
    for one in page["items"]:
        id_, name = quote(one["policy_id"], safe=""), one["name"]
        found.append(Listed(f"policy://{id_}", name, f"The limit {one['limit']}"))
        found.append(Listed(f"balance://{id_}", f"{name}: balance", "Spent, held and left"))
    return found, page.get("next")


async def read(desk: Desk, uri: str) -> Json:
    """What a resource says; refuses what is not there, or not this key's."""
    address = _ADDRESS.fullmatch(uri)
    if address is None or address[1] not in _READERS:
        raise NotFound(
            f"There is no resource {uri!r}: {STATUS_URI}, or one of "
            f"{', '.join(template.pattern for template in TEMPLATES)}.",
            code="resource_not_found",
        )
    return await _READERS[address[1]](desk, address[2])


async def text_of(desk: Desk, uri: str) -> str:
    """The same as JSON, money with all its digits."""
    return encode(await read(desk, uri)).decode()


async def look_of(desk: Desk, uri: str) -> bytes | None:
    """By which a change is seen; `None` where it is not there any more."""
    try:
        return encode(await read(desk, uri))
    except NotFound:
        return None


async def _status(desk: Desk, rest: str) -> Json:
    if rest != "status":
        raise NotFound(f"There is only {STATUS_URI}.", code="resource_not_found")
    status = await desk.face.status()
    return {
        "says": standing(status, None),
        "labels": status["labels"],
        "limits": [limit_of(one) for one in status["policies"]],
    }


async def _policy(desk: Desk, rest: str) -> Json:
    found = await desk.face.policy(unquote(rest))
    return {name: value for name, value in found.items() if name not in _PASSING}


async def _balance(desk: Desk, rest: str) -> Json:
    policy, slash, group = rest.partition("/")
    wanted = unquote(group) if slash else None
    page = await desk.face.groups(unquote(policy), group=wanted, limit=GROUPS_SHOWN)
    return {
        "policy": unquote(policy),
        "balances": [limit_of(one) for one in page["items"]],
        "total": page["total"],
    }


async def _price(desk: Desk, rest: str) -> Json:
    provider, slash, model = rest.partition("/")
    if not slash:
        raise NotFound("Name both: price://{provider}/{model}.", code="resource_not_found")
    return await desk.face.current_price(unquote(provider), unquote(model))


_READERS: dict[str, Callable[[Desk, str], Awaitable[Json]]] = {
    "budget": _status,
    "policy": _policy,
    "balance": _balance,
    "price": _price,
}
