"""A service and Hermes over the hours: restarts, expiry, silence and nonsense. Time is simulated."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from tests.hermes.conftest import NAMES, PROFILE, World, world_of
from tests.hermes.stand_in import StandIn, served

from tekton_budget.delivery.hermes.registrar import REPORT_SECONDS


def test_a_service_is_listed_healthy_and_has_its_tools_there_once(world: World) -> None:
    one = world.conversation()
    world.run(300)
    listed = world.hermes.components["budget"]

    assert listed["endpoint"] == PROFILE.endpoint
    assert listed["capabilities"] == ["budget_allocation", "cost_tracking"]
    assert listed["metadata"] == {"type": "budget", "port": 8013}
    assert world.hermes.now - listed["last_heartbeat"] <= 30
    assert world.hermes.names() == NAMES
    assert world.hermes.asked("/register") == 1
    assert world.hermes.statuses[-1] == {"healthy": True, "status": "healthy"}
    assert one.state.registered
    assert one.state.layout == "/api"
    assert one.state.tools == 3
    assert one.state.heartbeats == world.hermes.asked("/heartbeat") == 11


def test_a_service_started_again_leaves_no_second_entry_and_no_second_tool(world: World) -> None:
    first = world.conversation()
    world.run(60, first)
    again = world.conversation()  # the first was killed: it said nothing
    world.run(60, again)

    assert list(world.hermes.components) == ["budget"]
    assert world.hermes.names() == NAMES
    assert sum(one.startswith("POST /api/mcp") for one in world.hermes.requests) == 3


def test_a_farewell_takes_out_entry_and_tools(world: World) -> None:
    one = world.conversation()
    world.run(60)
    world.leave(one)

    assert world.hermes.components == {}
    assert world.hermes.tools == {}
    assert "POST /api/unregister?component_id=budget" in world.hermes.requests
    assert not one.state.registered
    world.leave(one)  # once is enough
    assert world.hermes.asked("/unregister") == 1


def test_after_a_restart_of_hermes_we_are_listed_again_though_it_took_our_heartbeats(
    world: World,
) -> None:
    one = world.conversation()
    world.run(100)
    world.hermes.restart()
    taken = len(world.hermes.statuses)
    with capture_logs() as lines:
        world.run(61)

    assert len(world.hermes.statuses) > taken
    assert list(world.hermes.components) == ["budget"]
    assert world.hermes.names() == NAMES
    assert one.state.registrations == 2
    assert [line["event"] for line in lines] == ["hermes_lost_us", "hermes_registered"]


def test_a_token_is_renewed_before_its_hour_ends(world: World) -> None:
    world.conversation()
    world.run(4 * 3600)

    assert world.hermes.asked("/register") == 5
    assert world.hermes.asked("/heartbeat") <= 4 * 120 + 5
    assert not any("error" in str(told.last_error) for told in world.told)
    assert world.told[-1].errors == 0


def test_a_token_that_is_refused_is_replaced_at_once(world: World) -> None:
    one = world.conversation()
    world.run(100)
    world.hermes.fails("401", on="/heartbeat")
    world.run(31)

    assert one.state.registered
    assert one.state.registrations == 2
    assert world.hermes.asked("/register") == 2


def test_who_refuses_every_token_is_not_asked_all_the_time(world: World) -> None:
    world.hermes.fails("401", on="/heartbeat", times=10_000)
    one = world.conversation()
    world.run(600)

    assert world.hermes.asked("/register") <= 40
    assert "Invalid authentication token" in str(one.state.last_error)


@pytest.mark.parametrize("layout", ["/api", ""])
def test_both_layouts_are_found_and_remembered(world: World, layout: str) -> None:
    world.hermes.layout = layout
    one = world.conversation()
    world.run(60)
    misses = sum(not path.split(" ")[1].startswith("/api/") for path in world.hermes.requests)

    assert one.state.layout == layout
    assert list(world.hermes.components) == ["budget"]
    assert world.hermes.names() == NAMES
    if layout == "":
        assert len(world.hermes.requests) - misses == 1  # only the very first was tried there
    world.leave(one)
    assert (world.hermes.components, world.hermes.tools) == ({}, {})


def test_a_hermes_that_came_back_with_the_other_layout_is_found(world: World) -> None:
    one = world.conversation()
    world.run(100)
    world.hermes.restart(layout="")
    world.run(90)

    assert one.state.layout == ""
    assert one.state.registered
    assert list(world.hermes.components) == ["budget"]


def test_without_a_hermes_the_state_says_so_and_it_is_found_when_it_comes(
    unused_port: int,
) -> None:
    stand_in = StandIn()
    stand_in.url = f"http://127.0.0.1:{unused_port}"
    with world_of(stand_in) as world:
        one = world.conversation()
        with capture_logs() as lines:
            world.run(3600)
        assert not one.state.registered
        assert one.state.errors <= 200
        assert [line["event"] for line in lines] == [
            "hermes_away"
        ]  # one line an hour, not hundreds
        assert "BUDGET_HERMES_URL" in lines[0]["do"]

        with served(stand_in, unused_port):
            world.run(31)
            assert one.state.registered
            assert one.state.last_error is None
            assert list(stand_in.components) == ["budget"]
            world.leave(one)


def test_when_hermes_was_away_the_listing_is_asked_as_soon_as_it_is_back(unused_port: int) -> None:
    stand_in = StandIn()
    with world_of(stand_in) as world:
        with served(stand_in, unused_port):
            one = world.conversation()
            world.run(10)
        world.run(100)
        assert not one.state.registered
        stand_in.restart()
        with served(stand_in, unused_port):
            world.run(31)
            assert one.state.registered
            assert list(stand_in.components) == ["budget"]
            assert stand_in.names() == NAMES


@pytest.mark.parametrize("kind", ["500", "broken", "page"])
@pytest.mark.parametrize("on", ["/register", "/heartbeat", "/components", "/mcp/v2/tools"])
def test_nonsense_from_hermes_is_borne_and_told(world: World, kind: str, on: str) -> None:
    one = world.conversation()
    world.hermes.fails(kind, on=on, times=3)
    with capture_logs() as lines:
        world.run(300)

    assert one.state.registered
    assert one.state.last_error is None
    assert list(world.hermes.components) == ["budget"]
    assert world.hermes.names() == NAMES
    assert 1 <= one.state.errors <= 3
    assert any(line["event"] == "hermes_puzzles" for line in lines)


@pytest.mark.parametrize("kind", ["slow", "drips"])
def test_a_slow_hermes_is_not_waited_for_longer_than_the_bound(world: World, kind: str) -> None:
    world.hermes.slow_seconds = 5
    one = world.conversation(timeout_seconds=0.2)
    world.hermes.fails(kind, on="/components")
    world.turn(one)
    assert one.state.last_error == "no answer within 0.2 s"

    world.run(60)
    assert one.state.registered


def test_two_services_on_one_host_stand_side_by_side(world: World) -> None:
    first = world.conversation()
    there = "http://127.0.0.1:8014"
    other = replace(PROFILE, other_id="budget-8014", endpoint=there)
    world.run(10, first)
    second = world.conversation(other)
    world.run(600)

    assert {id_: one["endpoint"] for id_, one in world.hermes.components.items()} == {
        "budget": PROFILE.endpoint,
        "budget-8014": there,
    }
    assert world.hermes.asked("/register") == 2
    assert world.hermes.names() == sorted(
        [*NAMES, *(f"budget-8014_{name.removeprefix('budget_')}" for name in NAMES)]
    )

    world.leave(second)
    assert list(world.hermes.components) == ["budget"]
    assert world.hermes.names() == NAMES


def test_two_that_start_at_the_same_moment_do_not_fight(world: World) -> None:
    first = world.conversation()
    second = world.conversation(
        replace(PROFILE, other_id="budget-8014", endpoint="http://127.0.0.1:8014")
    )
    for one in (first, second):  # both looked before either of them was there
        world.turn(one)
    world.run(600)

    assert len(world.hermes.components) == 2
    assert world.hermes.asked("/register") == 3
    world.leave(first)
    world.leave(second)
    assert world.hermes.components == {}


def test_who_lost_its_id_to_another_does_not_take_that_one_out(world: World) -> None:
    one = world.conversation()
    world.run(10)
    world.hermes.components["budget"]["endpoint"] = "http://127.0.0.1:8014"
    world.leave(one)

    assert list(world.hermes.components) == ["budget"]


def test_the_id_of_one_that_died_elsewhere_is_taken_over(world: World) -> None:
    dead = replace(PROFILE, endpoint="http://127.0.0.1:7777")
    world.run(10, world.conversation(dead))
    world.hermes.now += 1000
    world.run(10, world.conversation())

    assert [one["endpoint"] for one in world.hermes.components.values()] == [PROFILE.endpoint]


def test_a_service_that_cannot_say_how_it_is_says_that(world: World) -> None:
    one = world.conversation()
    world.report = lambda: 1 / 0
    world.run(1)

    assert world.hermes.statuses == [
        {"healthy": False, "status": "unhealthy", "cause": "ZeroDivisionError"}
    ]
    assert one.state.registered
    assert REPORT_SECONDS < 5


def test_a_registration_that_was_cut_off_is_undone(world: World) -> None:
    """Hermes took it, but its answer was too late: the token is lost, the entry is there."""
    world.hermes.slow_seconds = 0.4
    world.hermes.fails("late", on="/register")
    one = world.conversation(timeout_seconds=0.2)
    world.turn(one)
    world.turn(one)
    assert (one.state.registrations, list(world.hermes.components)) == (0, ["budget"])

    world.leave(one)
    assert world.hermes.components == {}
