"""Which budget is opened, by whom, and with which labels."""

import asyncio
import subprocess
import sys

import pytest

import tekton_budget
from tekton_budget.client import Client
from tekton_budget.face.environment import environment, labels_from_text


def test_without_a_server_the_own_database_is_used(tmp_path) -> None:
    with tekton_budget.open() as budget:
        budget.set_limit("1usd/day")

    assert (tmp_path / "own.db").exists()


def test_a_server_in_the_environment_is_asked(served, monkeypatch) -> None:
    monkeypatch.setenv("BUDGET_URL", served.url)

    with tekton_budget.open() as budget:
        assert isinstance(budget, Client)
        budget.set_limit("1usd/day")
    with tekton_budget.open(database_url=served.database_url) as beside:
        assert not isinstance(beside, Client)
        assert len(beside.policies()["items"]) == 1


@pytest.mark.parametrize("ending", ["", "/", "/api", "/api/v1", "/api/v1/"])
def test_the_address_may_be_written_with_or_without_the_path(served, ending: str) -> None:
    with tekton_budget.Client(served.url + ending) as client:
        assert client.policies()["items"] == []


def test_labels_of_the_environment_go_with_every_call(monkeypatch) -> None:
    monkeypatch.setenv("BUDGET_LABELS", "team=a, user=b")
    monkeypatch.setenv("BUDGET_RUN", "r1")

    with tekton_budget.open(labels={"user": "c"}) as budget:
        hold = budget.allocate(cost="0.1", labels={"feature": "x"})
        assert hold.grant.answer["labels"] == {
            "team": "a",
            "user": "c",
            "run": "r1",
            "feature": "x",
        }


@pytest.mark.parametrize("text", ["team", "team=", "=a", "te am=a"])
def test_labels_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(tekton_budget.InvalidInput):
        labels_from_text(text)


def test_empty_variables_are_not_set() -> None:
    found = environment({"BUDGET_URL": "", "BUDGET_KEY": "", "BUDGET_LABELS": "", "BUDGET_RUN": ""})

    assert (found.url, found.key, found.labels) == (None, None, {})


@pytest.mark.parametrize("where", ["in process", "over HTTP"])
def test_a_key_bounds_what_can_be_seen(served, where: str) -> None:
    with tekton_budget.open(database_url=served.database_url) as owner:
        key = owner.create_key("ci", labels={"team": "a"})["key"]
        owner.set_limit("1usd/day", scope={"team": "b"})
    served.running.service.keys.list_keys  # noqa: B018
    way = {"url": served.url} if where == "over HTTP" else {"database_url": served.database_url}

    with tekton_budget.open(**way, key=key) as budget:
        assert budget.policies()["items"] == []
        with pytest.raises(tekton_budget.Forbidden):
            budget.set_limit("1usd/day")
        hold = budget.allocate(cost="0.1")
        assert hold.grant.answer["labels"] == {"team": "a", "key": "ci"}
        hold.release()
    with pytest.raises(tekton_budget.Unauthenticated), tekton_budget.open(**way, key="tb_no") as it:
        it.policies()


def test_the_owner_of_the_database_needs_no_key_though_there_are_some(served) -> None:
    with tekton_budget.open(database_url=served.database_url) as owner:
        owner.create_key("ci")
        assert len(owner.keys()) == 1


def test_a_server_that_is_not_there_is_named(unused_port: int) -> None:
    with (
        tekton_budget.Client(f"http://127.0.0.1:{unused_port}", patience_seconds=0.2) as client,
        pytest.raises(tekton_budget.Unavailable, match="No server answers") as caught,
    ):
        client.allocate(cost=1, allocation_id="mine")

    assert caught.value.code == "unreachable"
    assert caught.value.extra["id"] == "mine"


@pytest.mark.parametrize("url", ["localhost:8013", "ftp://host", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(tekton_budget.InvalidInput, match="no address of a server"):
        tekton_budget.Client(url)


def test_every_verb_is_there_for_tasks(tmp_path) -> None:
    async def play() -> None:
        url = f"sqlite:///{tmp_path / 'async.db'}"
        async with tekton_budget.open_async(database_url=url) as budget:
            await budget.set_limit("1usd/day")
            async with budget.allocate(cost="0.4") as hold:
                await hold.record(cost="0.1")
                assert (await hold.extend(60)).status == "active"
                await hold.settle(cost="0.1")
            hold = await budget.allocate(cost="0.4")
            assert (await hold.release()).status == "released"
            with pytest.raises(tekton_budget.AllocationNotSettled):
                async with budget.allocate(cost="0.4"):
                    pass
            with pytest.raises(tekton_budget.BudgetExceeded):
                await budget.allocate(cost="0.5")
            assert (await budget.status())["policies"][0]["held"]["cost"] > 0

    asyncio.run(play())


def test_both_faces_have_the_same_verbs_with_the_same_words() -> None:
    def verbs(face: type) -> set[str]:
        return {name for name in dir(face) if not name.startswith("_")}

    assert verbs(tekton_budget.Budget) == verbs(tekton_budget.AsyncBudget)
    assert verbs(tekton_budget.Hold) == verbs(tekton_budget.AsyncHold)


def test_the_package_is_quick_to_import() -> None:
    """It brings neither a web framework nor a database with it."""
    heavy = "{'fastapi', 'sqlalchemy', 'httpx', 'pydantic', 'structlog', 'rich', 'typer'}"
    code = f"import sys, tekton_budget; print({heavy} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "set()"


def test_a_budget_that_was_opened_before_a_fork_says_so(monkeypatch) -> None:
    with tekton_budget.open() as budget:
        own = budget.transport
        monkeypatch.setattr("os.getpid", lambda: -1)
        with pytest.raises(tekton_budget.BudgetError, match="open it in each process"):
            own.answer(None)
        monkeypatch.undo()


def test_verbs_explain_themselves() -> None:
    for name in dir(tekton_budget.Budget):
        if not name.startswith("_"):
            assert (getattr(tekton_budget.Budget, name).__doc__ or "").strip(), name
