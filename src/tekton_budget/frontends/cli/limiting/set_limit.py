"""`set`: one line makes, changes or ends one limit, and says what it means now."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tekton_budget.domain.errors import BudgetError, Conflict, InvalidInput, NotFound, invalid
from tekton_budget.domain.limit_text import amount_from_text
from tekton_budget.domain.money import usd_from_nano
from tekton_budget.domain.scope import group_of
from tekton_budget.face.refusals import BudgetExceeded
from tekton_budget.frontends.cli.limiting.limits import Json, described, groups_shown, limits_of
from tekton_budget.frontends.cli.terminal.session import Session, every, session_of
from tekton_budget.frontends.cli.terminal.words import (
    labels_of,
    listed,
    parted,
    scope_of,
    scope_words,
)

if TYPE_CHECKING:
    from tekton_budget.face.budget import Budget

_ENFORCEMENTS = {"warn": "warn", "soft": "soft_limit", "hard": "hard_limit", "count": "ignore"}
_UNLIMITED = ("unlimited", "none")
_SAMPLE_GROUPS = {"user": "alice", "team": "a", "model": "gpt-5-mini", "customer": "acme"}
_SHOWN_GROUPS = 5


def add_to(app: typer.Typer) -> None:
    """The command."""
    app.command("set")(set_limit)


def set_limit(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[LABEL=VALUE]... AMOUNT[/PERIOD]",
            help="Which calls (all, if no label is named), and how much: 5usd/day, "
            "5Mtokens/month, 100requests/hour, 20usd/24h (rolling), 10usd (in total), off",
        ),
    ],
    per: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL", help="Each value of it has the limit"),
    ] = None,
    for_: Annotated[
        list[str] | None,
        typer.Option(
            "--for", metavar="LABEL=VALUE", help="Another amount for one group of a --per limit"
        ),
    ] = None,
    hard: Annotated[bool, typer.Option("--hard", help="Deny what goes beyond (default)")] = False,
    soft: Annotated[bool, typer.Option("--soft", help="Let through, advise cheaper calls")] = False,
    warn: Annotated[bool, typer.Option("--warn", help="Let through and warn")] = False,
    count: Annotated[bool, typer.Option("--count", help="Only count")] = False,
    shadow: Annotated[
        bool | None,
        typer.Option("--shadow/--no-shadow", help="Judge and record, but let everything through"),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the limit that is made or changed")] = None,
    budget: Annotated[str | None, typer.Option(help="The budget it belongs to")] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Whose days and months, as Europe/Berlin")
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(metavar="SHARE", help="At which to tell, as 0.8; repeatable"),
    ] = None,
    unpriced: Annotated[
        str | None, typer.Option(help="Models without a price: deny, highest or allow")
    ] = None,
    rollover: Annotated[
        bool | None, typer.Option("--rollover/--no-rollover", help="Carry over what is left")
    ] = None,
    landing: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="Kept for calls that are told to finish, as 10%"),
    ] = None,
    ladder: Annotated[
        list[str] | None,
        typer.Option(metavar="MODELS", help="To go on with where a call does not fit, as a,b"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="End a limit without asking")] = False,
) -> None:
    """Make, change or end one limit.

    \b
    tekton-budget set 5usd/day
    tekton-budget set team=a 2000usd/month
    tekton-budget set 50usd/month --per user
    tekton-budget set --for user=alice 200usd/month
    tekton-budget set model='claude-opus-*' 5Mtokens/day
    tekton-budget set team=a off

    The limit of the same calls, period and --per is changed in place and keeps what it counted.
    """
    session = session_of(context)
    labels, rest = parted(words)
    text = " ".join(rest)
    enforcement = _one_of(hard=hard, soft=soft, warn=warn, count=count)
    per_labels = listed(per)
    if not text:
        raise invalid("limit", 'say how much, as in "set team=a 50usd/month"')
    with session.budget() as face:
        if for_:
            _set_exception(session, face, scope_of(labels), labels_of(for_), text, name)
        elif text.split("/")[0].strip().lower() == "off":
            _end(session, face, scope_of(labels), per_labels, text, name, yes=yes)
        else:
            fields: dict[str, Any] = {
                "enforcement": enforcement,
                "shadow": shadow,
                "timezone": timezone,
                "thresholds": [Decimal(one) for one in threshold] if threshold else None,
                "unpriced": unpriced,
                "rollover": rollover,
                "landing": landing,
                "ladder": listed(ladder) or None,
            }
            answer = face.set_limit(
                text, scope=scope_of(labels), per=per_labels, name=name, budget=budget, **fields
            )
            _tell(session, face, answer)


def _one_of(**flags: bool) -> str | None:
    said = [_ENFORCEMENTS[name] for name, given in flags.items() if given]
    if len(said) > 1:
        raise typer.BadParameter("choose one of --hard, --soft, --warn and --count")
    return said[0] if said else None


def _tell(session: Session, face: "Budget", answer: Json) -> None:
    policy = answer["policy"]
    groups = face.groups(policy["policy_id"], limit=_SHOWN_GROUPS)["items"]
    denied_by = denied_example(session, face, policy, groups)
    whole = {**answer, "groups": groups, "denied_by": denied_by}

    def shown() -> None:
        print(f"{'New' if answer['created'] else 'Changed'}: {described(policy)}")
        for note in answer.get("notes") or []:
            print(f"  {note}")
        groups_shown(policy, groups)
        if denied_by is not None:
            print(f"\nThis would now be denied:\n  {denied_by}")
        elif policy["enforcement"] != "hard_limit" or policy.get("shadow"):
            print("\nCalls beyond it are let through; --hard denies them.")

    session.output.one(whole, shown)


def denied_example(
    session: Session, face: "Budget", policy: Json, groups: Sequence[Json]
) -> str | None:
    """A command that asks for more than there is left; only if it really would be denied."""
    if policy["enforcement"] != "hard_limit" or policy.get("shadow"):
        return None
    labels = {name: _sample(value) for name, value in policy["scope"].items()}
    group = groups[0] if groups else None
    for name in policy["per"]:
        own = (group or {}).get("labels") or {}
        labels[name] = own.get(name) or _SAMPLE_GROUPS.get(name, "x")
    left = (group or {}).get("remaining") or limits_of(policy)
    asked = _beyond(left)
    for more in ({}, {"tokens": 1}, {"cost": Decimal(0)}):
        ask = {**more, **asked}
        try:
            face.allocate(labels=labels, dry_run=True, **ask)
        except BudgetExceeded:
            words = [f"--{unit}={value}" for unit, value in ask.items()]
            return session.hint("allocations", "create", *scope_words(dict(labels)), *words)
        except InvalidInput:
            continue  # another limit concerns it in a unit that is left open, or has no price
        except BudgetError:
            return None
        else:
            return None
    return None


def _beyond(left: Json) -> dict[str, Any]:
    """A little more than is left, in one unit."""
    if left.get("cost") is not None:
        return {"cost": max(Decimal(0), Decimal(left["cost"])) + Decimal("0.01")}
    for unit in ("tokens", "requests"):
        if left.get(unit) is not None:
            return {unit: max(0, int(left[unit])) + 1}
    return {"cost": Decimal("0.01")}


def _sample(value: str | Sequence[str]) -> str:
    """A value that a scope takes."""
    listed = [value] if isinstance(value, str) else list(value)
    wanted = [one for one in listed if not one.startswith("!")]
    return re.sub(r"[*?]", "x", wanted[0]) if wanted else "other"


def _alike(
    face: "Budget", scope: Json, per: Sequence[str], period: str | None, name: str | None
) -> list[Json]:
    """The policies that these words may mean."""
    if name is not None:
        return [face.policy(name)]
    return [
        policy
        for policy in every(face.policies, None)
        if policy["scope"] == scope
        and set(policy["per"]) == set(per)
        and period in (None, policy["period"])
    ]


def _only(found: Sequence[Json], what: str) -> Json:
    if not found:
        raise NotFound(
            f"There is no limit {what}. What there is: tekton-budget policies list",
            code="policy_not_found",
        )
    if len(found) > 1:
        names = ", ".join(f'"{policy["name"]}"' for policy in found)
        raise Conflict(f"Several limits are meant: {names}. Say --name.", code="ambiguous")
    return found[0]


def _end(
    session: Session,
    face: "Budget",
    scope: Json,
    per: Sequence[str],
    text: str,
    name: str | None,
    *,
    yes: bool,
) -> None:
    period = _period(f"1usd/{text.partition('/')[2]}") if "/" in text else None
    what = f"of {' '.join(scope_words(dict(scope))) or 'all calls'}"
    policy = _only(_alike(face, scope, per, period, name), what)
    session.confirm(f'End "{policy["name"]}"? It will neither count nor deny.', yes=yes)
    ended = face.end_policy(policy["policy_id"])
    session.output.one(
        ended, lambda: print(f'Ended: "{policy["name"]}". What it counted can still be read.')
    )


def _set_exception(
    session: Session,
    face: "Budget",
    scope: Json,
    group: dict[str, str],
    text: str,
    name: str | None,
) -> None:
    amount, _, period = text.partition("/")
    wanted = _period(f"1usd/{period}") if period else None
    per = list(group)
    policy = _only(
        _alike(face, scope, per, wanted, name),
        f"per {', '.join(per)} to make an exception of; make it first: "
        f"{session.hint('set', '50usd/' + (period or 'month'), '--per', ','.join(per))}",
    )
    key = group_of(tuple(policy["per"]), group)
    if key is None:
        raise invalid("for", f"name {' '.join(f'{one}=…' for one in policy['per'])}")
    value: Any
    if amount.strip().lower() == "off":
        value = None
    elif amount.strip().lower() in _UNLIMITED:
        value = "unlimited"
    else:
        value = _limits(amount)
    answer = face.set_exceptions(policy["policy_id"], {key: value})
    said = "no exception any more" if value is None else amount.strip()
    session.output.one(answer, lambda: print(f'Changed: "{policy["name"]}" for {key}: {said}'))


def _limits(amount: str) -> dict[str, Any]:
    tokens, cost_nano, requests = amount_from_text(amount)
    limits: dict[str, Any] = {}
    if tokens:
        limits["token_limit"] = tokens
    if cost_nano:
        limits["cost_limit"] = usd_from_nano(cost_nano)
    if requests:
        limits["request_limit"] = requests
    return limits or {"cost_limit": Decimal(0)}


def _period(text: str) -> str:
    from tekton_budget.domain.limit_text import limit_from_text

    return limit_from_text(text).schedule_period.value
