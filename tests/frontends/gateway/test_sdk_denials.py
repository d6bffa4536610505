"""What the official SDKs make of our refusals: the class they raise, and whether they ask again by themselves."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
from google import genai
from google.genai import types
from tests.frontends.api_read.conftest import NO_TLS
from tests.frontends.gateway.conftest import Gate
from tests.frontends.gateway.sdks import bases

from tekton_budget.domain.caller import LOCAL, Role
from tekton_budget.domain.errors import Conflict
from tekton_budget.service.asking.asks import Ask
from tekton_budget.service.calls import Calls

PAGE = Path(__file__).parents[3] / "docs/how-to/gateway-errors.md"
HELLO: Any = [{"role": "user", "content": "hello"}]
SDKS = ("openai", "anthropic", "google-genai")


@dataclass
class Client:
    """One call of an SDK with all its defaults, and the requests that it made for it."""

    call: Callable[..., Any]
    sent: list[int] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    on_answer: Callable[[], None] = lambda: None

    def note(self, _request: Any) -> None:
        self.sent.append(1)

    def saw(self, answer: Any) -> None:
        self.seen.append(answer.status_code)
        self.on_answer()


@contextmanager
def client(sdk: str, url: str, key: str = "sk-theirs", **google: Any) -> Iterator[Client]:
    """`google`: options of HttpOptions."""
    first, second, third = bases(url, "/gateway")
    found = Client(lambda: None)
    hooks: Any = {"request": [found.note], "response": [found.saw]}
    with (
        httpx.Client(verify=NO_TLS, event_hooks=hooks) as http,
        httpx2.Client(verify=NO_TLS, event_hooks=hooks) as http2,
    ):
        if sdk == "openai":
            chat = openai.OpenAI(base_url=first, api_key=key, http_client=http).chat.completions
            found.call = lambda **more: chat.create(model="gpt-4o", messages=HELLO, **more)
        elif sdk == "anthropic":
            messages = anthropic.Anthropic(base_url=second, api_key=key, http_client=http2).messages
            found.call = lambda **more: messages.create(
                model="claude-sonnet-5", max_tokens=100, messages=HELLO, **more
            )
        else:
            options = types.HttpOptions(base_url=third, httpx_client=http, **google)
            models = genai.Client(api_key=key, http_options=options).models

            def generate(extra_body: Any = None) -> Any:
                more = types.HttpOptions(extra_body=extra_body)
                config = types.GenerateContentConfig(http_options=more)
                return models.generate_content(
                    model="gemini-2.5-flash", contents="hello", config=config
                )

            found.call = generate
        yield found


def over_budget(gate: Gate) -> dict[str, Any]:
    gate.limit("0usd/day", name="day")
    return {}


def without_a_policy(gate: Gate) -> dict[str, Any]:
    return {}


def unbounded(gate: Gate) -> dict[str, Any]:
    return {"extra_body": {"brand_new": 1}}


@dataclass(frozen=True)
class Row:
    """A line of the table: how it comes about, and the class that each SDK raises."""

    status: str
    code: str
    settings: dict[str, Any]
    begin: Callable[[Gate], dict[str, Any]]
    classes: tuple[type[Exception], type[Exception], type[Exception]]
    key: str = "sk-theirs"


G = genai.errors.ClientError
ROWS = [
    Row("401", "key_invalid", {}, over_budget, (openai.AuthenticationError, anthropic.AuthenticationError, G), "tb_wrong"),
    Row("402", "budget_exceeded", {}, over_budget, (openai.APIStatusError, anthropic.PaymentRequiredError, G)),
    Row("403", "no_policy", {"unbudgeted": "deny"}, without_a_policy, (openai.PermissionDeniedError, anthropic.PermissionDeniedError, G)),
    Row("409", "conflict", {}, without_a_policy, (openai.ConflictError, anthropic.ConflictError, G)),
    Row("422", "unmetered_field", {}, unbounded, (openai.UnprocessableEntityError, anthropic.UnprocessableEntityError, G)),
    Row("429", "budget_exceeded", {"denial_status": 429}, over_budget, (openai.RateLimitError, anthropic.RateLimitError, G)),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.status} {row.code}")
def test_each_sdk_raises_its_own_class_and_asks_once(
    gates: Callable[..., Gate], monkeypatch: pytest.MonkeyPatch, row: Row
) -> None:
    gate = gates(**row.settings)
    more = row.begin(gate)
    if row.status == "409":
        monkeypatch.setattr(Calls, "admit", _in_conflict)
    if row.status == "401":
        gate.key(role=Role.ADMIN)
    for sdk, raised in zip(SDKS, row.classes, strict=True):
        with client(sdk, gate.url, row.key) as one:
            with pytest.raises(raised) as refused:
                one.call(**more)
            assert type(refused.value) is raised
            assert one.seen == [int(row.status)]
            assert len(one.sent) == 1
            assert code_of(refused.value) == row.code
    assert gate.mock.bill.reached == 0
    assert line_of(row) in PAGE.read_text()


async def _in_conflict(*_: Any) -> Any:
    raise Conflict("It is in the way of itself.", code="conflict")


def code_of(error: Any) -> str:
    """Ours, wherever the shape of the API has it."""
    if isinstance(error, genai.errors.APIError):
        details: Any = error.details
        return str(details["error"]["details"][0]["reason"]).lower()
    body: Any = error.body
    inner = body.get("error", body)
    return str(inner["details"]["code"])


def line_of(row: Row) -> str:
    """As the page has it."""
    classes = " | ".join(f"`{one.__name__}`" for one in row.classes)
    return f"| {row.status} | `{row.code}` | {classes} | 1 |"


def test_the_page_names_the_versions_that_were_tried() -> None:
    names = " | ".join(f"`{name}` {version(name).rpartition('.')[0]}" for name in SDKS)
    assert f"| status | `code` | {names} | requests |" in PAGE.read_text()


class Time:
    """The module as the SDKs know it, without the waiting."""

    def __init__(self, slept: list[float]) -> None:
        self.sleep = slept.append

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


@pytest.mark.parametrize("sdk", SDKS)
def test_busy_is_asked_again_and_then_let_through(
    gates: Callable[..., Gate], monkeypatch: pytest.MonkeyPatch, sdk: str
) -> None:
    gate = gates(gateway_wait=0)
    gate.limit("1usd/day", name="day")
    ledger = gate.running.service.ledger
    held: Any = ledger.allocate(LOCAL, Ask(cost="1")).result()
    slept: list[float] = []
    for package in (openai, anthropic):
        monkeypatch.setattr(package._base_client, "time", Time(slept))
    now = types.HttpRetryOptions(initial_delay=0, jitter=0, max_delay=0)
    with client(sdk, gate.url, **({"retry_options": now} if sdk == "google-genai" else {})) as one:
        one.on_answer = lambda: None if one.seen[1:] else _released(ledger, held)
        assert one.call()
        assert one.seen == [429, 200]
    assert slept == ([] if sdk == "google-genai" else [5.0])
    assert len([one for one in gate.mock.bill.entries if one.units.get("output")]) == 1


def _released(ledger: Any, held: Any) -> None:
    ledger.release(LOCAL, held.allocation_id).result()


def test_the_google_sdk_repeats_only_when_told_to_and_then_whatever_we_say(
    gates: Callable[..., Gate],
) -> None:
    gate = gates(gateway_wait=0)
    gate.limit("1usd/day", name="day")
    gate.running.service.ledger.allocate(LOCAL, Ask(cost="1")).result()
    with client("google-genai", gate.url) as one:
        with pytest.raises(G, match="RESOURCE_EXHAUSTED"):
            one.call()
        assert one.seen == [429]
    now = types.HttpRetryOptions(attempts=3, initial_delay=0, jitter=0, max_delay=0)
    with client("google-genai", gate.url, retry_options=now) as told:
        with pytest.raises(G):
            told.call()
        assert told.seen == [429, 429, 429]
    gate.limit("0usd/day", name="spent")
    with client("google-genai", gate.url, retry_options=now) as denied:
        with pytest.raises(G):
            denied.call()
        assert denied.seen == [402]
