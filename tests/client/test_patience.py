"""When the client asks again, how long it waits, and when it gives up."""

import json
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import tekton_budget
from tekton_budget import client as client_module

ENDED = {"allocation_id": "a", "status": "released", "policies": []}


class Scripted:
    """A server that answers what it is told, and remembers what it was asked."""

    def __init__(self, answers: list[tuple[int, dict[str, str], bytes]]) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                script.asked.append((self.command, self.path, dict(self.headers), body))
                status, headers, text = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815  (http.server's names)

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    made: list[Scripted] = []

    def make(*answers: tuple[int, dict[str, str], bytes]) -> Scripted:
        made.append(Scripted(list(answers)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody really waits."""
    waited: list[float] = []
    monkeypatch.setattr(client_module.time, "sleep", waited.append)
    return waited


def problem(status: int, code: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return status, headers, json.dumps({"code": code, "detail": "no"}).encode()


@pytest.mark.parametrize("status", [502, 503, 504, 429])
def test_what_may_pass_is_asked_again_under_the_same_id(scripted, pauses, status: int) -> None:
    good = (200, {}, json.dumps(ENDED).encode())
    server = scripted(problem(status, "x"), problem(status, "x"), good)

    with tekton_budget.Client(server.url) as client:
        client.settle("a", cost=Decimal("1E-9"))

    bodies = {body for _, _, _, body in server.asked}
    assert len(server.asked) == 3
    assert len(bodies) == 1
    assert json.loads(bodies.pop())["record_id"]
    assert len(pauses) == 2


def test_the_server_says_how_long_to_wait(scripted, pauses) -> None:
    late = {"Retry-After": "2"}
    server = scripted(
        (503, late, b'{"code": "queue_full", "detail": "wait"}'),
        (200, {}, json.dumps(ENDED).encode()),
    )

    with tekton_budget.Client(server.url) as client:
        client.release("a")

    assert pauses == [2]


def test_patience_ends_with_the_last_answer(scripted) -> None:
    server = scripted((503, {"Retry-After": "5"}, b'{"code": "store_away", "detail": "away"}'))

    with (
        tekton_budget.Client(server.url, patience_seconds=1) as client,
        pytest.raises(tekton_budget.Unavailable, match="away") as caught,
    ):
        client.release("a")

    assert caught.value.code == "store_away"
    assert caught.value.extra["retry_after_seconds"] == 5
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, tekton_budget.InvalidInput),
        (401, tekton_budget.Unauthenticated),
        (402, tekton_budget.BudgetExceeded),
        (403, tekton_budget.Forbidden),
        (404, tekton_budget.NotFound),
        (409, tekton_budget.Conflict),
        (413, tekton_budget.InvalidInput),
        (422, tekton_budget.InvalidInput),
        (500, tekton_budget.BudgetError),
    ],
)
def test_refusals_are_told_at_once(scripted, pauses, status: int, kind: type) -> None:
    server = scripted(problem(status, "why"))

    with tekton_budget.Client(server.url) as client, pytest.raises(kind) as caught:
        client.release("a")

    assert caught.value.code == "why"
    assert len(server.asked) == 1
    assert pauses == []


def test_an_answer_of_something_else_is_not_taken_for_ours(scripted) -> None:
    server = scripted((200, {}, b"<html>welcome"))

    with (
        tekton_budget.Client(server.url) as client,
        pytest.raises(tekton_budget.BudgetError, match="Is BUDGET_URL"),
    ):
        client.policies()


def test_money_is_sent_as_a_number_with_all_its_digits(scripted) -> None:
    server = scripted((200, {}, json.dumps(ENDED).encode()))

    with tekton_budget.Client(server.url) as client:
        client.settle("a", cost=Decimal("123456789.123456789"))
        client.settle("a", cost=0.1)
        client.settle("a", cost=Decimal("1E+3"))

    sent = [body for _, _, _, body in server.asked]
    assert b'"cost":123456789.123456789' in sent[0]
    assert b'"cost":0.1,' in sent[1]
    assert b'"cost":1000,' in sent[2]


def test_ids_and_the_key_go_with_what_is_made(scripted) -> None:
    server = scripted((200, {}, b"{}"))

    with tekton_budget.Client(server.url, key="tb_live_x") as client:
        client.create_policy(limit="1usd/day")
        client.policy("a/b c")

    (method, path, headers, _), (_, named, _, _) = server.asked
    assert (method, path) == ("POST", "/api/v1/policies")
    assert len(headers["idempotency-key"]) == 36
    assert headers["authorization"] == "Bearer tb_live_x"
    assert named == "/api/v1/policies/a%2Fb%20c"
