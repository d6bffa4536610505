"""Commands about allocations: ask, see, give back."""

from tekton_budget.face import ledger
from tekton_budget.face.budget import AsyncBudget
from tekton_budget.frontends.api.commanding.said import (
    REQUEST_ID,
    Answering,
    Json,
    Said,
    Values,
    lines,
    said_labels,
    text_of,
    tokens,
    usd,
    whole_of,
)

_LISTED = 50


async def create(budget: AsyncBudget, values: Values) -> Said:
    """`allocate create`: ask before a call."""
    names = ("context_id", "component", "task_type", "tier", "provider", "model")
    grant = await budget.send(
        ledger.ask(
            allocation_id=text_of(values, REQUEST_ID),
            labels=said_labels(values, *names),
            cost=None,
            expires_at=None,
            wait_seconds=0,
            dry_run=False,
            tokens=whole_of(values, "tokens"),
            priority=whole_of(values, "priority"),
        )
    )
    cost = "" if grant.granted.cost is None else f", up to {usd(grant.granted.cost)}"
    return Said(
        lines(
            f"Allocation {grant.allocation_id}: {tokens(grant.granted.tokens or 0)}{cost}, until "
            f"{grant.expires_at:%Y-%m-%d %H:%M:%S %Z}.",
            [f"Decision: {grant.decision}", *grant.reasons],
        ),
        grant.answer,
    )


async def show(budget: AsyncBudget, values: Values) -> Said:
    """`allocate list`: newest first."""
    page = await budget.allocations(
        labels=said_labels(values, "context_id", "component"),
        is_active=True if values.get("active_only") else None,
        limit=_LISTED,
    )
    told = [_row(one) for one in page["items"]]
    more = ["and more"] if page.get("next") else []
    which = "under way" if values.get("active_only") else "newest first"
    if not told:
        return Said("There are no such allocations.", page)
    return Said(lines(f"Allocations, {which}:", told, *more), page)


async def release(budget: AsyncBudget, values: Values) -> Said:
    """`allocate release`: give back what is held."""
    id_ = str(values["allocation_id"])
    released = await budget.release(id_)
    after = await budget.allocation(id_)
    return Said(f"Allocation {released.allocation_id} is {released.status}.", after)


def _row(one: Json) -> str:
    model = f"{one['provider'] or '?'}/{one['model']}, " if one["model"] else ""
    who = f"{one['component'] or 'no component'}, {one['context_id'] or 'no context'}"
    used = f"{one['tokens_used'] or 0:,} of {tokens(one['tokens_allocated'] or 0)} used"
    return f"{one['allocation_id']} {one['status']}: {who}, {model}{used}"


COMMANDS: dict[str, Answering] = {
    "allocate create": create,
    "allocate list": show,
    "allocate release": release,
}
