"""The official client, over both transports and in both eras of the protocol."""

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path

import httpx
import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError
from tests.frontends.mcp.conftest import (
    ALONE,
    ERAS,
    SESSIONS,
    Agent,
    Service,
    done,
    numbers,
    over_http,
    over_streams,
    serving,
    text_of,
    until,
)
from tests.frontends.mcp.test_tools import NAMES

from tekton_budget.domain.caller import Role

HTTP, STREAMS = "http", "streams"
ways = pytest.mark.parametrize(
    ("way", "era"), [(HTTP, SESSIONS), (HTTP, ALONE), (STREAMS, SESSIONS), (STREAMS, ALONE)]
)
fewer_ways = pytest.mark.parametrize(
    ("way", "era"), [(HTTP, SESSIONS), (HTTP, ALONE), (STREAMS, ALONE)]
)
eras = pytest.mark.parametrize("era", ERAS)


def connected(
    service: Service, way: str, era: str, folder: Path, *, url: bool = True
) -> AbstractAsyncContextManager[Agent]:
    """A client of team a."""
    if way == HTTP:
        return over_http(service, era, labels="team=a")
    where = {"BUDGET_URL": service.url}
    if not url:
        where = {"BUDGET_DATABASE_URL": service.running.settings.database_url}
    return over_streams(era, folder=folder, BUDGET_LABELS="team=a", **where)


@ways
def test_every_tool_answers_without_an_argument(
    service: Service, way: str, era: str, tmp_path: Path
) -> None:
    service.limit("2usd/day", scope={"team": "a"}, name="cap")
    service.price()
    said = {}

    async def story() -> None:
        await service.use(3, "0.1", team="a")
        async with connected(service, way, era, tmp_path) as client:
            for name in [*NAMES, "allocate", "release"]:
                if name in ("settle", "release"):
                    await client.call("allocate")
                    arguments = {"cascade": True} if name == "settle" else {}
                elif name in ("extend", "delegate"):
                    arguments = {}
                else:
                    arguments = {}
                answer = await client.call(name, **arguments)
                if not answer.is_error:
                    assert numbers(answer) == answer.structured_content
                said[name] = text_of(answer)

    done(story())
    assert said["budget_status"].startswith(
        '$1.70 of $2.00 left in "cap"; about 17 more calls like the last three.'
    )
    assert "17 steps at the median ($0.10 each)" in said["plan"]
    assert said["estimate"].startswith("openai/gpt-5-mini with 900 input and 100 output tokens")
    assert said["allocate"].startswith("Granted: up to $0.001, 1,000 tokens")
    assert said["usage_report"].startswith("Spent in this window (monthly): $0.30")
    assert said["prices"].startswith("Of the models used lately")
    assert said["recommend_model"].startswith("No cheaper model than openai/gpt-5-mini")
    assert "nothing was recorded" in said["record_usage"]
    assert said["explain_denial"].startswith("Nothing was refused")


@ways
def test_the_story_of_a_call(service: Service, way: str, era: str, tmp_path: Path) -> None:
    service.limit("2usd/day", scope={"team": "a"}, name="cap")

    async def story() -> None:
        async with connected(service, way, era, tmp_path, url=False) as client:
            tools = (await client.client.list_tools()).tools
            assert [tool.name for tool in tools] == NAMES
            granted = await client.data("allocate", cost=1.5)
            assert granted["granted"]["cost"] == 1.5
            denied = await client.call("allocate", cost=1)
            assert denied.is_error
            assert "Fits now: up to $0.50" in text_of(denied)
            assert denied.structured_content["code"] == "over_budget"
            assert denied.structured_content["largest_fit"]["cost"] == 0.5
            part = await client.data("delegate", cost=0.5, agent="reader")
            settled = await client.data(
                "settle", allocation_id=part["allocation_id"], cost="0.123456789"
            )
            assert settled["cost"] == 0.123456789
            assert (await client.data("settle", cost=0.4))["status"] == "settled"
            with pytest.raises(MCPError, match="There is no tool 'spend'"):
                await client.call("spend")

    done(story())
    spent = done(service.face(team="a").status())["policies"][0]["spent"]["cost"]
    assert spent == Decimal("0.523456789")


@fewer_ways
def test_resources_are_listed_read_and_refused(
    service: Service, way: str, era: str, tmp_path: Path
) -> None:
    policy = service.limit("2usd/day", scope={"team": "a"}, name="cap", per=["user"])
    service.price("llama/3 large", "0.1", "openai")

    async def story() -> None:
        async with connected(service, way, era, tmp_path) as client:
            await service.use(1, team="a", user="ann/1")
            read = client.client.read_resource
            listed = [one.uri for one in (await client.client.list_resources()).resources]
            assert listed == ["budget://status", f"policy://{policy}", f"balance://{policy}"]
            templates = (await client.client.list_resource_templates()).resource_templates
            assert "price://{provider}/{model}" in [one.uri_template for one in templates]
            found = {}
            for uri in [
                *listed,
                "policy://cap",
                f"balance://{policy}/ann%2F1",
                "price://openai/llama%2F3%20large",
            ]:
                (contents,) = (await read(uri)).contents
                found[uri] = json.loads(contents.text)
            assert found[f"policy://{policy}"] == found["policy://cap"]
            assert found["policy://cap"]["cost_limit"] == 2
            assert found[f"balance://{policy}"]["balances"][0]["group"] == "ann/1"
            one = found[f"balance://{policy}/ann%2F1"]["balances"]
            assert [(b["group"], b["spent"]["cost"]) for b in one] == [("ann/1", 0.1)]
            assert found["price://openai/llama%2F3%20large"]["input"] == 0.1
            for uri in ("policy://nobody", "price://openai/none", "price://x", "budget://x", "x"):
                with pytest.raises(MCPError) as refused:
                    await read(uri)
                assert refused.value.error.data["uri"] == uri

    done(story())


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
@pytest.mark.parametrize("way", [HTTP, STREAMS])
def test_a_session_is_told_of_what_it_subscribed_to(
    service: Service, way: str, tmp_path: Path
) -> None:
    policy = service.limit("2usd/day", scope={"team": "a"}, name="cap")
    other = service.limit("2usd/day", scope={"team": "b"})
    service.price()

    async def story() -> None:
        async with connected(service, way, SESSIONS, tmp_path) as client:
            price, balance = "price://openai/gpt-5-mini", f"balance://{policy}"
            for uri in (price, balance, f"balance://{other}"):
                await client.client.subscribe_resource(uri)
            await service.use(1, "1.9", team="a")  # a threshold is crossed
            await until(lambda: client.updated == [balance])
            await asyncio.to_thread(service.price, usd="2")
            await until(lambda: client.updated == [balance, price])
            await client.client.unsubscribe_resource(balance)
            await service.use(1, team="a")
            await service.use(1, team="b")
            await until(lambda: client.updated[2:] == [f"balance://{other}"])
            with pytest.raises(MCPError, match="nobody"):
                await client.client.subscribe_resource("balance://nobody")

    done(story())


@pytest.mark.parametrize("way", [HTTP, STREAMS])
def test_a_stream_of_its_own_tells_the_same(service: Service, way: str, tmp_path: Path) -> None:
    service.limit("2usd/day", scope={"team": "a"}, name="cap")

    async def story() -> None:
        async with connected(service, way, ALONE, tmp_path) as client:
            status = "budget://status"
            async with client.client.listen(resource_subscriptions=[status]) as stream:
                await service.use(1, team="a")
                async with asyncio.timeout(20):
                    event = await anext(stream)
            assert event.uri == status
            with pytest.raises(MCPError):
                async with client.client.listen(resource_subscriptions=["policy://nobody"]):
                    pass

    done(story())


@fewer_ways
def test_the_prompt_has_the_numbers_in_it(
    service: Service, way: str, era: str, tmp_path: Path
) -> None:
    service.limit("2usd/day", scope={"team": "a"}, name="cap")
    service.price()

    async def story() -> None:
        async with connected(service, way, era, tmp_path) as client:
            (listed,) = (await client.client.list_prompts()).prompts
            assert listed.title == "Plan under budget"
            plain = await client.client.get_prompt(listed.name)
            asked = await client.client.get_prompt(
                listed.name, {"task": "mend the tests", "steps": "500"}
            )
            assert "$2.00 of $2.00 left" in plain.messages[0].content.text
            text = asked.messages[0].content.text
            assert text.startswith("Plan this so that it ends within the budget: mend the tests")
            assert "500 do not fit (400 steps) at the median" in text
            for wrong in ({"steps": "many"}, {"pace": "slow"}, {"steps": "0"}):
                with pytest.raises(MCPError):
                    await client.client.get_prompt(listed.name, wrong)

    done(story())


def test_in_a_run_the_environment_says_whose_calls_they_are(
    service: Service, tmp_path: Path
) -> None:
    async def story() -> None:
        await service.face().open_run("r1", cost_limit=2)
        where = {"BUDGET_URL": service.url, "BUDGET_RUN": "r1", "BUDGET_LABELS": "team=a"}
        async with over_streams(SESSIONS, folder=tmp_path, **where) as client:
            await client.data("record_usage", model="openai/m", input_tokens=9, cost=0.88)
            status = await client.call("budget_status")
            assert text_of(status) == (
                "$1.12 of $2.00 left in this run; about 1 more call like the last one."
            )
            assert status.structured_content["labels"] == {"team": "a", "run": "r1"}
            assert (await client.says("usage_report")).startswith("Spent in all: $0.88")

    done(story())


@eras
def test_a_client_of_one_team_sees_nothing_of_another(service: Service, era: str) -> None:
    theirs = service.limit("2usd/day", scope={"team": "b"}, name="bravo")
    service.limit("100usd/day", name="everybody")
    key_a, key_b = service.key("a", team="a"), service.key("b", team="b")

    async def story() -> None:
        async with over_http(service, era, key=key_b) as bravo:
            held = await bravo.data("allocate", cost=1)
            assert "bravo" in await bravo.says("budget_status")
        async with over_http(service, era, key=key_a, labels="team=b,task=t") as alpha:
            status = await alpha.call("budget_status")
            assert "bravo" not in text_of(status) + json.dumps(status.structured_content)
            assert status.structured_content["labels"]["team"] == "a"
            assert status.structured_content["labels"]["task"] == "t"
            assert (await alpha.data("usage_report"))["total"]["cost"] == 0
            for tool in ("settle", "release", "extend", "delegate"):
                text = await alpha.denied(tool, allocation_id=held["allocation_id"])
                assert "There is no allocation" in text
            listed = (await alpha.client.list_resources()).resources
            assert [one.uri for one in listed] == ["budget://status"]
            for uri in (f"policy://{theirs}", f"balance://{theirs}", "policy://everybody"):
                with pytest.raises(MCPError):
                    await alpha.client.read_resource(uri)
            assert (await alpha.call("release")).is_error  # the one of team b is not meant

    done(story())


@eras
def test_fifty_calls_at_once_never_go_over(service: Service, era: str) -> None:
    service.limit("1usd/day", scope={"team": "a"}, name="cap")

    async def story() -> list[types.CallToolResult]:
        async with over_http(service, era, labels="team=a") as client:
            calls = [client.call("allocate", cost=0.05) for _ in range(50)]
            return await asyncio.gather(*calls)

    answers = done(story())
    assert sum(not answer.is_error for answer in answers) == 20
    assert all("Over budget" in text_of(one) for one in answers if one.is_error)


@eras
def test_administration_is_for_keys_that_may_and_only_where_it_is_asked_for(
    service: Service, era: str
) -> None:
    keys = {role: service.key(role, role) for role in Role}
    for role in (Role.CLIENT, Role.VIEWER):
        asked = {"X-API-Key": keys[role]}
        answer = httpx.post(f"{service.url}/mcp?tools=admin", headers=asked)
        assert answer.status_code == 403
        assert "admin or operator" in answer.json()["error"]["message"]

    async def story() -> None:
        for role in (Role.ADMIN, Role.OPERATOR):
            async with over_http(service, era, path="/mcp?tools=admin", key=keys[role]) as client:
                tools = [tool.name for tool in (await client.client.list_tools()).tools]
                assert "set_limit" in tools
                assert "allocate" not in tools
                await client.says("set_limit", limit="5usd/day")
            async with over_http(service, era, key=keys[role]) as client:
                tools = [tool.name for tool in (await client.client.list_tools()).tools]
                assert tools == NAMES
        async with over_http(service, era, key=keys[Role.VIEWER]) as client:
            assert "viewer" in await client.denied("allocate", cost=1)

    done(story())


def test_on_postgresql_too_with_requests_that_stand_alone(postgres_url: str) -> None:
    with serving(postgres_url) as service:
        service.limit("1usd/day", scope={"team": "a"}, name="cap")

        async def story() -> None:
            for era in ERAS:
                async with over_http(service, era, labels="team=a") as client:
                    await client.data("allocate", cost=0.25)
                    await client.data("settle", cost=0.2)
                    assert "more calls like" in await client.says("budget_status")

        done(story())
