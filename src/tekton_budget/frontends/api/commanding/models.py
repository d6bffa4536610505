"""Commands about models: what they are, what they cost, which would do."""

from collections.abc import Sequence

from tekton_budget.face.budget import AsyncBudget
from tekton_budget.frontends.api.commanding.said import (
    Answering,
    Json,
    Said,
    Values,
    amount_of,
    lines,
    text_of,
    tokens,
    usd,
    whole_of,
)

_SHOWN = 40
_BEST = 5
_SOUGHT = 200  # of which those under a limit of cost are taken
_TASK_TOKENS = 2_000  # read, and as many written, as Tekton's page assumes


async def show_models(budget: AsyncBudget, values: Values) -> Said:
    """`/models`: what is known of models besides, and what they cost."""
    named = {name: text_of(values, name) for name in ("provider", "model")}
    facts = await budget.models(provider=named["provider"], model=named["model"])
    prices = await budget.prices(provider=named["provider"], model=named["model"])
    known = {(one["provider"], one["model"]): one for one in facts}
    told = []
    for one in prices:
        fact = known.get((one["provider"], one["model"]))
        context = (fact or {}).get("context_tokens")
        told.append(_priced(one) + (f", context {context:,}" if context else ""))
    return Said(_listed("Models", told), {"prices": prices, "models": facts})


async def show_prices(budget: AsyncBudget, values: Values) -> Said:
    """`/prices`, `prices list`: what models cost."""
    found = await budget.prices(
        provider=text_of(values, "provider"), model=text_of(values, "model")
    )
    return Said(_listed("Prices", [_priced(one) for one in found]), found)


async def update_prices(budget: AsyncBudget, values: Values) -> Said:
    """`prices update`: newer prices, where there are any."""
    del values
    answer = await budget.update_prices()
    return Said(str(answer.get("message") or "Prices were looked for."), answer)


async def recommend(budget: AsyncBudget, values: Values) -> Said:
    """`recommend`: models that would do, by what the call would cost."""
    seller, most = text_of(values, "prefer_provider"), amount_of(values, "max_cost")
    reads, writes = whole_of(values, "context_size"), whole_of(values, "output_size")
    answer = await budget.recommend(
        input_tokens=reads,
        output_tokens=writes,
        context_size=(reads or 0) + (writes or 0) or None,
        providers=None if seller is None else [seller],
        limit=_BEST if most is None else _SOUGHT,
    )
    items = [one for one in answer["items"] if most is None or one["estimated_cost"] <= most][
        :_BEST
    ]
    for_what = f"{reads or 0:,} tokens read and {writes or 0:,} written"
    return Said(_best(items, for_what), {**answer, "items": items})


async def recommend_for_task(budget: AsyncBudget, values: Values) -> Said:
    """`/recommend`: no description says what a task needs, so the price alone decides."""
    answer = await budget.recommend(
        input_tokens=_TASK_TOKENS, output_tokens=_TASK_TOKENS, limit=_BEST
    )
    for_what = f"{_TASK_TOKENS:,} tokens read and as many written"
    return Said(
        lines(
            _best(answer["items"], for_what),
            "By price alone: how well a model does your task, only a trial says.",
        ),
        {"task": text_of(values, "task"), **answer},
    )


async def calculate(budget: AsyncBudget, values: Values) -> Said:
    """`calc-cost`: what a call costs."""
    provider, model = str(values["provider"]), str(values["model"])
    reads, writes = whole_of(values, "input_tokens") or 0, whole_of(values, "output_tokens") or 0
    answer = await budget.calculate(
        model, provider=provider, usage={"input_tokens": reads, "output_tokens": writes}
    )
    parts = [
        f"{one['unit']}: {one['quantity']:,} at {usd(one['rate'])} per {one['per']:,} = "
        f"{usd(one['cost'])}"
        for one in answer["components"]
    ]
    cost = usd(answer["cost"])
    head = f"{provider}/{model}, {tokens(reads)} read and {writes:,} written: {cost}"
    return Said(lines(head, parts), answer)


def _priced(one: Json) -> str:
    name = f"{one['provider']}/{one['model']}"
    if one["input"] is None and one["output"] is None:
        return f"{name}: not by tokens"
    return f"{name}: {usd(one['input'])} in, {usd(one['output'])} out"


def _listed(title: str, told: Sequence[str]) -> str:
    if not told:
        return "No prices are known of these."
    more = [f"and {len(told) - _SHOWN} more; name a provider or model"] if told[_SHOWN:] else []
    return lines(f"{title}, in USD per 1,000,000 tokens:", [*told[:_SHOWN], *more])


def _best(items: Sequence[Json], for_what: str) -> str:
    told = [f"{one['provider']}/{one['model']}: {usd(one['estimated_cost'])}" for one in items]
    if not told:
        return f"No model is known that would do, for {for_what}."
    return lines(f"Cheapest for {for_what}:", told)


COMMANDS: dict[str, Answering] = {
    "models": show_models,
    "prices": show_prices,
    "prices list": show_prices,
    "prices update": update_prices,
    "recommend": recommend,
    "/recommend": recommend_for_task,
    "calc-cost": calculate,
}
