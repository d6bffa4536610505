"""Scenario tables: the rules of the ledger as lines of text, played on any ledger behind a driver.

A line is one event and, after `=>`, what must come of it:

    scenario a limit holds to the last cent
    policy   purse     1usd/day  team=a
    at       2026-03-02T10:00Z
    allocate one       cost=0.40 team=a              => allow
    allocate two       cost=0.61 team=a              => deny by=purse blocked=held fits=0.6usd
    settle   one       cost=0.10                     => settled back=0.3usd
    balance  purse                                   => spent=0.1usd held=0usd allows=1usd

Verbs, each with the words it takes; what is not a known option is a label of the call or the scope:

    policy    NAME LIMIT [soft|warn|ignore] [shadow] [rollover] [off] [option=value …] [label=value …]
    change    NAME [LIMIT] [hard|soft|warn|ignore] [on|off] [shadow=yes|no] [thresholds=50,90]
    budget    NAME [inactive] [label=value …]
    price     PROVIDER/MODEL [input= output= read= write= (USD per 1M)] [request=USD] [from= known=]
    settings  [shadow] [deny_unbudgeted] [assume=MODEL]
    at        TIME                    (after 15m: that much later)
    allocate  ID  [cost= tokens= in= out= requests= min= life=15m priority= max_priority=] [clamp]
                  [charge] [dry] [parent=ID] [landing=may|auto] [label=value …]
    settle    ID  [in= out= read= write= tokens= cost= model_used= provider_used= at=] [estimated]
                  [response=IN/OUT[/CACHED]|none [reasons=] [searches=] [bills=USD] [says=MODEL]]
                  [label=value …]
    release   ID [cascade]            (and settle: with all children)
    extend    ID LENGTH
    record    ID  [of=ALLOCATION] and what settle takes
    expire    ID …
    credit    NAME AMOUNT [group=G] [until=TIME] [id=ID]
    except    NAME GROUP LIMIT|unlimited|none
    balance   NAME [group=G] [at=TIME]

After `=>` stands one word, then what else must be so: a decision (`allow`, `warn`, `downgrade`,
`deny`), a state (`active`, `settled`, `released`, `expired`; for `expire`, `ended COUNT`),
`recorded`, `credited`, or `refused CODE`. Amounts (`0.4usd+100tokens+1request`) are compared in the
units that they name. A retry is the same line once more.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from tekton_budget.domain.allocation import OnExpiry
from tekton_budget.domain.amounts import UNLIMITED, Amounts, Limits
from tekton_budget.domain.answer import (
    Answer,
    Credited,
    Denial,
    Ended,
    Expired,
    Grant,
    Recorded,
)
from tekton_budget.domain.caller import LOCAL
from tekton_budget.domain.command import (
    Allocate,
    Command,
    Expire,
    Extend,
    Fit,
    GiveCredit,
    Landing,
    LedgerSettings,
    Record,
    Release,
    Settle,
)
from tekton_budget.domain.errors import BudgetError
from tekton_budget.domain.limit_text import amount_from_text, limit_from_text
from tekton_budget.domain.period import Anchor, Schedule, us_from_datetime
from tekton_budget.domain.policy import (
    DEFAULT_BUDGET,
    Budget,
    Enforcement,
    GroupLimits,
    PerMissing,
    Policy,
    Unpriced,
)
from tekton_budget.domain.price import Card, Rate, Rates
from tekton_budget.domain.scope import Scope
from tekton_budget.domain.usage import Measurement, Response, TokenCounts, Usage


class Driver(Protocol):
    """A ledger to play on. Names of policies are their ids, and budgets are named alike."""

    def set_now(self, now_us: int) -> None:
        """Time stands still at this moment until it is set again."""

    def set_settings(self, settings: LedgerSettings) -> None:
        """Settings of the installation, from the next command on."""

    def add_budget(self, budget: Budget) -> None:
        """A budget, before its policies."""

    def add_policy(self, policy: Policy) -> None:
        """Start a policy, with all three steps; its number is the ledger's own."""

    def change_policy(self, policy_id: str, fields: dict[str, object]) -> None:
        """Change fields of `Policy` in place."""

    def add_price(self, price: Card) -> None:
        """A price of the book."""

    def set_exception(self, policy_id: str, group: str, limits: GroupLimits | None) -> None:
        """Other amounts for one group, or none."""

    def execute(self, command: Command) -> Answer | BudgetError:
        """The ledger's answer, once it is durable."""

    def balance(self, policy_id: str, group: str, at_us: int) -> tuple[Amounts, Amounts, Limits]:
        """Spent, held and allowance of a group now, in the window of that moment."""


@dataclass(frozen=True)
class Line:
    """One event of a scenario."""

    number: int
    text: str
    verb: str
    words: tuple[str, ...]
    options: dict[str, str]
    expected: str

    def flag(self, word: str) -> bool:
        return word in self.words


@dataclass(frozen=True)
class Scenario:
    """A title and its events."""

    file: str
    title: str
    lines: tuple[Line, ...] = field(repr=False)


def scenarios_in(folder: Path) -> list[Scenario]:
    """Every scenario of every table, in order."""
    return [one for file in sorted(folder.glob("*.txt")) for one in _scenarios_of(file)]


def play(scenario: Scenario, driver: Driver) -> None:
    """Play it to its end; what comes otherwise fails with the line."""
    player = Player(driver)
    for line in scenario.lines:
        try:
            faults = player.faults_of(line)
        except Exception as error:
            raise AssertionError(
                f"{scenario.file}:{line.number}: {line.text}\n  broke: {error!r}"
            ) from error
        assert not faults, f"{scenario.file}:{line.number}: {line.text}\n  but " + "; ".join(faults)


def _scenarios_of(file: Path) -> Iterator[Scenario]:
    title, lines = "", []
    for number, raw in enumerate(file.read_text().splitlines(), 1):
        text = raw.split("#", 1)[0].strip()
        if not text:
            continue
        if text.startswith("scenario "):
            if lines:
                yield Scenario(file.name, title, tuple(lines))
            title, lines = text.removeprefix("scenario ").strip(), []
        else:
            lines.append(_line(number, text))
    if lines:
        yield Scenario(file.name, title, tuple(lines))


def _line(number: int, text: str) -> Line:
    event, _, expected = text.partition("=>")
    verb, *rest = re.findall(r'(?:[^\s"]|"[^"]*")+', event)
    plain = tuple(word.replace('"', "") for word in rest if "=" not in word)
    named = dict(word.replace('"', "").split("=", 1) for word in rest if "=" in word)
    return Line(number, text, verb, plain, named, expected.strip())


# --- what the words mean ----------------------------------------------------------------------

_ENFORCEMENTS = {
    "hard": Enforcement.HARD_LIMIT,
    "soft": Enforcement.SOFT_LIMIT,
    "warn": Enforcement.WARN,
    "ignore": Enforcement.IGNORE,
}
_LENGTHS_US = {"s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86_400 * 10**6}
_KINDS = {
    "in": "input",
    "out": "output",
    "read": "cache_read",
    "write": "cache_write",
    "tokens": "other",
}


def time_of(text: str) -> int:
    return us_from_datetime(datetime.fromisoformat(text))


def length_of(text: str) -> int:
    return int(text[:-1]) * _LENGTHS_US[text[-1]]


def nano_of(text: str) -> int:
    return amount_from_text(f"{text}usd").cost_nano


def limits_of(text: str) -> Limits:
    return limit_from_text(text).limits


def policy_of(line: Line) -> Policy:
    name, limit, *_ = line.words
    options = dict(line.options)
    text = limit_from_text(limit)
    anchor = Anchor(
        **{
            part: int(options.pop(part))
            for part in ("hour", "weekday", "day", "month")
            if part in options
        }
    )
    zone = options.pop("zone", "UTC")
    enforcement = [_ENFORCEMENTS[word] for word in line.words if word in _ENFORCEMENTS]
    fields: dict[str, Any] = {
        "enforcement": enforcement[0] if enforcement else Enforcement.HARD_LIMIT,
        "shadow": line.flag("shadow"),
        "rollover": line.flag("rollover"),
        "enabled": not line.flag("off"),
        "budget_id": options.pop("budget_folder", DEFAULT_BUDGET),
        **_policy_options(options),
    }
    scope = {name: _one_or_more(value) for name, value in options.items()}
    return Policy(
        no=0,
        policy_id=name,
        version=1,
        name=name,
        limits=text.limits,
        schedule=Schedule(text.schedule_period, zone, anchor, text.length_us),
        scope=Scope.from_json(scope),
        **fields,
    )


def _policy_options(options: dict[str, str]) -> dict[str, Any]:
    """Takes out of `options` what is known."""
    readers = {
        "per": ("per", lambda text: tuple(text.split(","))),
        "missing": ("per_missing", PerMissing),
        "thresholds": ("thresholds_ppm", _thresholds),
        "counts": ("tokens_counted", lambda text: tuple(_KINDS[one] for one in text.split(","))),
        "cap": ("rollover_cap", lambda text: limits_of(text) if text != "none" else UNLIMITED),
        "bypass": ("bypass_priority", int),
        "unpriced": ("unpriced", Unpriced),
        "assume": ("assume_model", str),
        "min_grant": ("min_grant", int),
        "landing": ("landing_ppm", lambda text: int(text) * 10_000),
        "starts": ("starts_us", time_of),
        "ends": ("ends_us", time_of),
    }
    return {
        name: read(options.pop(option))
        for option, (name, read) in readers.items()
        if option in options
    }


def _thresholds(text: str) -> tuple[int, ...]:
    return tuple(int(one) * 10_000 for one in text.split(",")) if text != "none" else ()


def _one_or_more(value: str) -> str | list[str]:
    return value.split(",") if "," in value else value


def price_of(line: Line) -> Card:
    provider, _, model = line.words[0].partition("/")
    options = line.options
    rates = {"input": Rate(Decimal(0), 10**6), "output": Rate(Decimal(0), 10**6)} | {
        unit: Rate(Decimal(options[option]), 10**6)
        for option, unit in (
            ("input", "input"),
            ("output", "output"),
            ("read", "cache_read"),
            ("write", "cache_write_5m"),
        )
        if option in options
    }
    if "request" in options:
        rates["request"] = Rate(Decimal(options["request"]))
    return Card(
        price_id=f"price-{line.number}",
        provider=provider,
        model=model,
        rates=Rates(rates),
        valid_from_us=time_of(options["from"]) if "from" in options else 0,
        known_since_us=time_of(options["known"]) if "known" in options else 0,
    )


def usage_of(options: dict[str, str], *, estimated: bool) -> Usage:
    """Takes out of `options` what is of the usage; the rest are labels."""
    counts = {kind: int(options.pop(word)) for word, kind in _KINDS.items() if word in options}
    cost, at = options.pop("cost", None), options.pop("at", None)
    return Usage(
        TokenCounts(**counts),
        cost_nano=None if cost is None else nano_of(cost),
        provider_used=options.pop("provider_used", None),
        model_used=options.pop("model_used", None),
        timestamp_us=None if at is None else time_of(at),
        measurement=Measurement.ESTIMATED if estimated else Measurement.MEASURED,
        response=response_of(options),
    )


def response_of(options: dict[str, str]) -> Response | None:
    """A provider's answer in the shape that most have: prompt and completion tokens."""
    counts = options.pop("response", None)
    if counts is None:
        return None
    if counts == "none":
        return Response({"choices": []})
    given, made, *cached = (int(count) for count in counts.split("/"))
    usage: dict[str, object] = {"prompt_tokens": given, "completion_tokens": made}
    if cached:
        usage["prompt_tokens_details"] = {"cached_tokens": cached[0]}
    if "reasons" in options:
        reasoning = int(options.pop("reasons"))
        usage["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    if "bills" in options:
        usage["cost"] = Decimal(options.pop("bills"))
    if "searches" in options:
        usage["num_search_queries"] = int(options.pop("searches"))
    said = options.pop("says", None)
    return Response({"usage": usage} | ({} if said is None else {"model": said}))


def ask_of(id_: str, line: Line, content: str) -> Allocate:
    options = dict(line.options)
    numbers = {
        name: int(options.pop(option)) if option in options else None
        for option, name in (
            ("in", "input_tokens"),
            ("out", "max_output_tokens"),
            ("tokens", "tokens"),
        )
    }
    cost, least = options.pop("cost", None), options.pop("min", None)
    caller = replace(LOCAL, max_priority=int(options.pop("max_priority", 10)))
    return Allocate(
        id_,
        caller,
        content,
        **numbers,
        cost_nano=None if cost is None else nano_of(cost),
        min_grant=None if least is None else int(least),
        requests=int(options.pop("requests", 1)),
        priority=int(options.pop("priority", 5)),
        lifetime_us=length_of(options.pop("life", "15m")),
        fit=Fit.CLAMP if line.flag("clamp") else Fit.ALL,
        on_expiry=OnExpiry.CHARGE if line.flag("charge") else OnExpiry.RELEASE,
        dry_run=line.flag("dry"),
        landing=Landing(options.pop("landing", "no")),
        parent_id=options.pop("parent", None),
        labels=options,
    )


# --- the player -------------------------------------------------------------------------------


class Player:
    """Turns lines into commands and compares what comes of them."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.now_us = time_of("2026-03-02T10:00Z")
        self.driver.set_now(self.now_us)
        self.commands = 0

    def faults_of(self, line: Line) -> list[str]:
        """Play one line; what comes otherwise than expected."""
        told = getattr(self, f"_{line.verb}")(line)
        return [] if told is None else _differences(told, line.expected)

    def _policy(self, line: Line) -> None:
        self.driver.add_policy(policy_of(line))

    def _change(self, line: Line) -> None:
        fields: dict[str, object] = {}
        for word in line.words[1:]:
            if word in _ENFORCEMENTS:
                fields["enforcement"] = _ENFORCEMENTS[word]
            elif word in ("on", "off"):
                fields["enabled"] = word == "on"
            else:
                fields["limits"] = limits_of(word)
        if "shadow" in line.options:
            fields["shadow"] = line.options["shadow"] == "yes"
        if "thresholds" in line.options:
            fields["thresholds_ppm"] = _thresholds(line.options["thresholds"])
        self.driver.change_policy(line.words[0], fields)

    def _budget(self, line: Line) -> None:
        scope = Scope.from_json({n: _one_or_more(v) for n, v in line.options.items()})
        name = line.words[0]
        self.driver.add_budget(Budget(name, name, scope, is_active=not line.flag("inactive")))

    def _price(self, line: Line) -> None:
        self.driver.add_price(price_of(line))

    def _settings(self, line: Line) -> None:
        self.driver.set_settings(
            LedgerSettings(
                shadow=line.flag("shadow"),
                deny_unbudgeted=line.flag("deny_unbudgeted"),
                assume_model=line.options.get("assume"),
            )
        )

    def _at(self, line: Line) -> None:
        self._move_to(time_of(line.words[0]))

    def _after(self, line: Line) -> None:
        self._move_to(self.now_us + length_of(line.words[0]))

    def _move_to(self, now_us: int) -> None:
        assert now_us >= self.now_us, "time does not go back"
        self.now_us = now_us
        self.driver.set_now(now_us)

    def _allocate(self, line: Line) -> dict[str, Any]:
        return self._told(ask_of(line.words[0], line, _content(line)))

    def _settle(self, line: Line) -> dict[str, Any]:
        options, id_ = dict(line.options), line.words[0]
        used = usage_of(options, estimated=line.flag("estimated"))
        if used == Usage():
            used = None
        command = Settle(
            self._id(),
            LOCAL,
            _content(line),
            allocation_id=id_,
            usage=used,
            labels=options,
            record_id=f"{id_}.{self._id()}",
            cascade=line.flag("cascade"),
        )
        return self._told(command)

    def _release(self, line: Line) -> dict[str, Any]:
        cascade = line.flag("cascade")
        return self._told(Release(self._id(), LOCAL, "{}", line.words[0], cascade=cascade))

    def _extend(self, line: Line) -> dict[str, Any]:
        id_, length = line.words[0], length_of(line.words[1])
        command = Extend(self._id(), LOCAL, _content(line), allocation_id=id_, lifetime_us=length)
        return self._told(command)

    def _record(self, line: Line) -> dict[str, Any]:
        options = dict(line.options)
        of = options.pop("of", None)
        used = usage_of(options, estimated=line.flag("estimated"))
        command = Record(
            line.words[0], LOCAL, _content(line), usage=used, labels=options, allocation_id=of
        )
        return self._told(command)

    def _expire(self, line: Line) -> dict[str, Any]:
        return self._told(Expire(self._id(), LOCAL, "", tuple(("", id_) for id_ in line.words)))

    def _credit(self, line: Line) -> dict[str, Any]:
        name, amount = line.words
        until = line.options.get("until")
        command = GiveCredit(
            line.options.get("id", self._id()),
            LOCAL,
            _content(line),
            name,
            line.options.get("group", ""),
            amount_from_text(amount),
            expires_us=None if until is None else time_of(until),
        )
        return self._told(command)

    def _except(self, line: Line) -> None:
        name, group, amount = line.words
        limits: GroupLimits | None = None
        if amount == "unlimited":
            limits = GroupLimits(unlimited=True)
        elif amount != "none":
            limits = GroupLimits(False, *limits_of(amount))
        self.driver.set_exception(name, group, limits)

    def _balance(self, line: Line) -> dict[str, Any]:
        at = line.options.get("at")
        at_us = self.now_us if at is None else time_of(at)
        group = line.options.get("group", "")
        spent, held, allowance = self.driver.balance(line.words[0], group, at_us)
        return {"spent": spent, "held": held, "allows": allowance}

    def _told(self, command: Command) -> dict[str, Any]:
        return told(self.driver.execute(command))

    def _id(self) -> str:
        self.commands += 1
        return f"command-{self.commands}"


def _content(line: Line) -> str:
    """A retry is the same line, whatever it expects."""
    named = dict(sorted(line.options.items()))
    return json.dumps({"words": list(line.words), **named})


# --- answers and what is expected of them -----------------------------------------------------


def told(answer: Answer | BudgetError) -> dict[str, Any]:
    """What an answer says, by the names that tables use; `""` is its first word."""
    match answer:
        case BudgetError():
            fields = ",".join(fault.field for fault in answer.fields)
            return {"": f"refused {answer.code}", "fields": fields, "detail": answer.detail}
        case Grant():
            return {
                "": answer.decision,
                "holds": answer.granted,
                "out": answer.max_output_tokens,
                "would": _names(answer.would_deny),
                "bypassed": _names(answer.bypassed),
                "policies": _names(one.name for one in answer.policies),
                "provisional": _yes(answer.provisional),
                "landing": _yes(answer.landing),
                "price": None if answer.price is None else answer.price.model,
            }
        case Denial():
            fit = answer.largest_fit
            return {
                "": "deny",
                "by": _names(one.name for one in answer.policies),
                "blocked": answer.blocked_on,
                "left": answer.policies[0].remaining,
                "kept": answer.policies[0].kept,
                "retry": _yes(answer.retryable),
                "never": _yes(answer.never_fits),
                "fits": None if fit is None else Amounts(fit.tokens or 0, fit.cost_nano or 0),
                "out": None if fit is None else fit.max_output_tokens,
                "instead": _names(answer.alternatives),
                "resets": answer.resets_us,
            }
        case Ended():
            return {
                "": answer.status,
                "late": _yes(answer.late),
                "spent": answer.spent,
                "back": answer.released,
                "cost": _cost(answer.cost_nano),
                "source": answer.cost_source,
                "fault": None if answer.usage_error is None else answer.usage_error.code,
            }
        case Recorded():
            return {
                "": "recorded",
                "late": _yes(answer.late),
                "cost": _cost(answer.cost_nano),
                "book": _cost(answer.book_cost_nano),
                "source": answer.cost_source,
            }
        case Credited():
            return {"": "credited", "allows": answer.allowance, "until": answer.expires_us}
        case Expired():
            return {"": f"ended {answer.count}"}
    raise AssertionError(f"no words for {answer}")


def _differences(told: dict[str, Any], expected: str) -> list[str]:
    faults = []
    first = told.get("")
    plain = " ".join(word for word in expected.split() if "=" not in word)
    if first is not None and first != plain:
        faults.append(f"it is {first!r}" + (f" ({told['detail']})" if "detail" in told else ""))
    for word in expected.split():
        name, equals, value = word.partition("=")
        if equals and not _agrees(told.get(name), value):
            faults.append(f"{name} is {told.get(name)!r}")
    if first is not None and not expected:
        faults.append("nothing is expected of it")
    return faults


def _agrees(given: object, wanted: str) -> bool:
    if wanted in ("none", "unknown"):
        return given is None or given == ""
    if isinstance(given, Amounts | Limits):
        if wanted == "unlimited":
            return given == UNLIMITED
        found = limits_of(wanted)
        return all(w is None or g == w for g, w in zip(given, found, strict=True))
    if isinstance(given, int):
        return given == (int(wanted) if wanted.isdigit() else time_of(wanted))
    return given == wanted


def _names(names: Any) -> str:
    return ",".join(names)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _cost(cost_nano: int | None) -> Amounts | None:
    return None if cost_nano is None else Amounts(cost_nano=cost_nano)
