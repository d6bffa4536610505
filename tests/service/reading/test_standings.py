"""Where limits stand: windows, groups, shares, what binds, and what a key may not see."""

from decimal import Decimal

import pytest

from tekton_budget.domain.amounts import Amounts, Limits
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import BudgetError, InvalidInput, NotFound
from tekton_budget.service.paging import Slice
from tekton_budget.service.reporting.balance_views import BalanceView, share_ppm
from tekton_budget.service.reporting.standings import Standings

from .conftest import DAY_US, HOUR_US, NOON_US, TEAM_A, TEAM_B, World

USD = 1_000_000_000
ALICE = Caller("ku", "u", Role.CLIENT, {"user": "alice"})


def spends(world: World, **dollars: str) -> None:
    """Each user spends so much."""
    for user, usd in dollars.items():
        world.spend(usd, user=user, team="a")


def groups(views: tuple[BalanceView, ...]) -> list[str]:
    return [view.group for view in views]


def test_a_policy_without_groups_stands_before_anything_is_spent(world: World) -> None:
    made = world.policy("10usd/day", name="daily")

    page = Standings(world.reader).of_policy(LOCAL, "daily")

    (view,) = page.items
    assert (page.total, page.next) == (1, None)
    assert view.policy_id == made.policy_id
    assert (view.opens_us, view.closes_us) == (NOON_US - DAY_US // 2, NOON_US + DAY_US // 2)
    assert view.resets_us == view.closes_us
    assert view.allowance == Limits(cost_nano=10 * USD)
    assert view.remaining == Limits(cost_nano=10 * USD)
    assert (view.spent, view.held, view.share_ppm) == (Amounts(), Amounts(), 0)
    assert world.all("balances") == []


def test_spent_held_and_left_add_up_in_every_unit(world: World) -> None:
    world.policy(
        name="daily",
        limit=None,
        cost_limit=Decimal(10),
        token_limit=1000,
        request_limit=5,
        period="daily",
    )
    world.spend("2.5")
    world.hold("1.5")

    (view,) = Standings(world.reader).of_policy(LOCAL, "daily").items

    assert view.spent == Amounts(100, 2_500_000_000, 1)
    assert view.held == Amounts(100, 1_500_000_000, 1)
    assert view.remaining == Limits(800, 6 * USD, 3)
    assert view.share_ppm == 400_000


def test_credit_exception_and_carry_are_in_the_allowance(world: World) -> None:
    world.policy("10usd/day", name="each", per=["user"], rollover=True)
    spends(world, alice="4", bob="1")
    world.pass_seconds(86_400)
    verbs = world.running.service
    verbs.ledger.give_credit(
        LOCAL, "each", Amounts(cost_nano=USD), group="alice", expires_us=world.now_us + HOUR_US
    ).result()
    verbs.policies.set_exceptions(LOCAL, "each", {"bob": {"cost_limit": Decimal(3)}})
    standings = Standings(world.reader)

    (alice,) = standings.of_policy(LOCAL, "each", group="alice").items
    (bob,) = standings.of_policy(LOCAL, "each", group="bob").items
    (carol,) = standings.of_policy(LOCAL, "each", group="carol").items

    assert (alice.carry.cost_nano, alice.credit.cost_nano) == (6 * USD, USD)
    assert alice.allowance.cost_nano == 17 * USD
    assert alice.labels == {"user": "alice"}
    assert bob.is_exception
    assert bob.allowance.cost_nano == (3 + 2) * USD  # as the limit now in force would have left it
    assert carol.allowance.cost_nano == 10 * USD
    world.pass_seconds(3600)
    (alice,) = standings.of_policy(LOCAL, "each", group="alice").items
    assert alice.allowance.cost_nano == 16 * USD


def test_what_is_kept_for_the_end_is_of_all_that_is_allowed(world: World) -> None:
    world.policy("10usd/day", name="purse", landing="10%")
    world.running.service.ledger.give_credit(LOCAL, "purse", Amounts(cost_nano=USD)).result()

    (view,) = Standings(world.reader).of_policy(LOCAL, "purse").items

    assert view.landing == Amounts(0, 11 * USD // 10, 0)
    assert view.remaining.cost_nano == 11 * USD


def test_an_untouched_group_shows_what_it_will_carry(world: World) -> None:
    world.policy("10usd/day", name="each", per=["user"], rollover=True)
    world.running.service.policies.set_exceptions(LOCAL, "each", {"carol": "unlimited"})
    spends(world, alice="4")
    world.pass_seconds(86_400)
    standings = Standings(world.reader)

    (alice,) = standings.of_policy(LOCAL, "each", group="alice").items
    (carol,) = standings.of_policy(LOCAL, "each", group="carol").items

    assert alice.allowance.cost_nano == 16 * USD
    assert carol.allowance == Limits()
    assert carol.share_ppm is None


def test_groups_are_listed_by_share_and_by_name(world: World) -> None:
    world.policy("10usd/month", name="each", per=["user"])
    shares = {f"u{number:02d}": number * 7 % 23 for number in range(23)}
    spends(world, **{user: f"0.{share + 1:02d}" for user, share in shares.items()})
    world.spend("0.05", team="a")  # of nobody: the shared group
    standings = Standings(world.reader)

    def walked(sort: str, limit: int) -> list[str]:
        found, after = [], None
        while True:
            page = standings.of_policy(
                LOCAL, "each", sort=sort, part=Slice(limit=limit, after=after)
            )
            assert page.total in (None, 24)
            found += groups(page.items)
            if page.next is None:
                return found
            after = page.next

    by_share = ["", *sorted(shares, key=lambda user: (-shares[user], user))]
    for limit in (1, 5, 24, 100):
        assert walked("share", limit) == by_share
        assert walked("name", limit) == ["", *sorted(shares)]
    second = standings.of_policy(LOCAL, "each", part=Slice(page=2, limit=10))
    assert groups(second.items) == by_share[10:20]


def test_all_windows_of_all_versions_are_told_newest_first(world: World) -> None:
    verbs = world.running.service.policies
    world.policy("10usd/day", name="daily")
    for usd in ("1", "2", "3"):
        world.spend(usd, user="alice")
        world.pass_seconds(86_400)
    verbs.change_policy(LOCAL, "daily", {"per": ["user"]})
    world.spend("4", user="alice")
    world.spend("5", user="bob")
    standings = Standings(world.reader)

    found, after = [], None
    assert len(standings.of_policy(LOCAL, "daily", window="all", part=Slice(limit=1)).items) == 1
    while True:
        part = Slice(limit=2, after=after)
        page = standings.of_policy(LOCAL, "daily", window="all", part=part)
        found += page.items
        after = page.next
        if after is None:
            break
    alice = standings.of_policy(LOCAL, "daily", window="all", group="alice").items

    assert [(view.group, view.spent.cost_nano // USD) for view in found] == [
        ("bob", 5),
        ("alice", 4),
        ("", 3),
        ("", 2),
        ("", 1),
    ]
    assert [view.spent.cost_nano // USD for view in alice] == [4]
    assert [v.closes_us is not None and v.closes_us > world.now_us for v in found] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_one_groups_windows_are_walked(world: World) -> None:
    world.policy("10usd/day", name="each", per=["user"])
    for usd in ("1", "2", "3"):
        spends(world, alice=usd, bob="9")
        world.pass_seconds(86_400)
    standings = Standings(world.reader)

    first = standings.of_policy(LOCAL, "each", window="all", group="alice", part=Slice(limit=2))
    rest = standings.of_policy(
        LOCAL, "each", window="all", group="alice", part=Slice(limit=2, after=first.next)
    )

    spent = [view.spent.cost_nano // USD for view in (*first.items, *rest.items)]
    assert spent == [3, 2, 1]
    assert rest.next is None


def test_an_ended_policy_still_has_its_history(world: World) -> None:
    world.policy("10usd/day", name="daily")
    world.spend("1")
    world.running.service.policies.end_policy(LOCAL, "daily")
    standings = Standings(world.reader)

    past = standings.of_policy(LOCAL, "daily", window="all")

    assert [view.spent.cost_nano for view in past.items] == [USD]
    for named in ("daily", "nobody"):
        with pytest.raises(NotFound):
            standings.of_policy(LOCAL, named)
    with pytest.raises(NotFound):
        standings.of_policy(LOCAL, "nobody", window="all")


def test_a_rolling_policy_tells_when_some_comes_back(world: World) -> None:
    world.policy("10usd/24h", name="rolling")
    world.spend("4")
    standings = Standings(world.reader)

    (view,) = standings.of_policy(LOCAL, "rolling").items
    world.pass_seconds(86_400 + 1440)
    (later,) = standings.of_policy(LOCAL, "rolling").items

    assert view.spent.cost_nano == 4 * USD
    assert view.closes_us is None
    assert view.resets_us is not None
    assert DAY_US <= view.resets_us - NOON_US <= DAY_US + DAY_US // 60
    assert later.spent == Amounts()
    assert later.resets_us is None


def test_a_budget_tells_all_its_policies_and_groups(world: World) -> None:
    world.budget("ours", team="a")
    world.policy("10usd/day", name="one", budget="ours")
    world.policy("10usd/month", name="each", per=["user"], budget="ours")
    world.policy("100usd/day", name="other")
    spends(world, alice="1", bob="2")
    standings = Standings(world.reader)

    page = standings.of_budget(LOCAL, "ours")
    found, after = [], None
    while True:
        part = standings.of_budget(LOCAL, "ours", part=Slice(limit=1, after=after))
        found += part.items
        after = part.next
        if after is None:
            break

    assert [(v.name, v.group) for v in page.items] == [
        ("one", ""),
        ("each", "bob"),
        ("each", "alice"),
    ]
    assert (page.total, page.next) == (3, None)
    assert tuple(found) == page.items
    assert standings.of_budget(TEAM_A, "ours") == page


def test_status_names_what_binds_and_what_nearly_concerns(world: World) -> None:
    world.policy("100usd/month", name="all")
    world.policy("10usd/day", name="team a", scope={"team": "a"})
    world.policy("5usd/day", name="alice", scope={"user": "alice"})
    world.policy("1usd/day", name="opus", scope={"team": "a", "model": "opus*"})
    world.policy("1usd/day", name="far", scope={"team": "z", "model": "opus*"})
    world.policy("1usd/day", name="softly", scope={"team": "a"}, enforcement="warn")
    world.spend("4", team="a")

    status = Standings(world.reader).status(LOCAL, {"team": "a", "model": "gpt-5"})

    assert [view.name for view in status.policies] == ["softly", "team a", "all"]
    assert status.binds is not None
    assert status.binds.name == "team a"
    assert [(n.name, n.label, n.wanted, n.given) for n in status.near] == [
        ("opus", "model", "opus*", "gpt-5"),
        ("alice", "user", "alice", None),
    ]
    assert status.unbudgeted_calls is None


def test_tokens_bind_where_they_are_fuller_than_money(world: World) -> None:
    world.policy("100usd/month", name="money")
    world.policy("200tokens/day", name="tokens")
    world.policy("150tokens/day", name="unlimited now", enforcement="ignore")
    world.spend("1", team="a")
    standings = Standings(world.reader)

    binds = standings.status(LOCAL, {}).binds
    assert binds is not None
    assert binds.name == "tokens"
    world.running.service.policies.end_policy(LOCAL, "tokens")
    binds = standings.status(LOCAL, {}).binds
    assert binds is not None
    assert binds.name == "money"
    world.running.service.policies.end_policy(LOCAL, "money")
    assert standings.status(LOCAL, {}).binds is None


def test_calls_that_no_policy_concerns_are_counted(world: World) -> None:
    world.policy("1usd/day", scope={"team": "z"})
    world.spend("1", team="a")
    world.spend("1", team="b")
    standings = Standings(world.reader)

    assert standings.status(LOCAL, {"team": "a"}).unbudgeted_calls == 2
    assert standings.status(LOCAL, {"team": "z"}).unbudgeted_calls is None
    assert standings.status(TEAM_A).unbudgeted_calls is None
    world.pass_seconds(31 * 86_400)
    assert standings.status(LOCAL, {"team": "a"}).unbudgeted_calls == 0


def test_a_key_sees_its_own_numbers_only(world: World) -> None:
    world.policy("100usd/month", name="all")
    world.policy("10usd/day", name="team a", scope={"team": "a"})
    world.policy("10usd/day", name="near a", scope={"team": "a", "model": "opus"})
    world.policy("10usd/day", name="team b", scope={"team": "b"})
    world.policy("10usd/day", name="each team", per=["team"])
    world.spend("4", team="a")
    world.spend("3", team="b")
    standings = Standings(world.reader)

    status = standings.status(TEAM_B, {"team": "a"})  # the key's own label is forced

    assert status.labels == {"key": "b", "team": "b"}
    shown = {view.name: view for view in status.policies}
    assert set(shown) == {"all", "team b", "each team"}
    assert shown["all"].hidden
    assert (shown["all"].spent, shown["all"].allowance) == (Amounts(), Limits())
    assert shown["all"].share_ppm is None
    assert shown["team b"].spent.cost_nano == 3 * USD
    assert shown["each team"].spent.cost_nano == 3 * USD
    assert status.policies[-1].hidden
    assert status.near == ()
    assert [n.name for n in standings.status(TEAM_A).near] == ["near a"]


def test_a_key_reads_the_balances_of_its_own_policies_and_groups(world: World) -> None:
    world.budget("budget a", team="a")
    world.policy("10usd/day", name="team a", scope={"team": "a"})
    world.policy("10usd/day", name="each team", per=["team"])
    world.policy("10usd/day", name="all")
    world.policy("10usd/day", name="each user", per=["user"])
    spends(world, alice="1", bob="2")
    world.spend("1", team="b", user="carol")
    standings = Standings(world.reader)

    assert groups(standings.of_policy(TEAM_A, "team a").items) == [""]
    assert groups(standings.of_policy(TEAM_A, "each team").items) == ["a"]
    assert groups(standings.of_policy(TEAM_A, "each team", group="a").items) == ["a"]
    assert groups(standings.of_policy(TEAM_A, "each team", window="all").items) == ["a"]
    assert groups(standings.of_policy(ALICE, "each user").items) == ["alice"]
    for caller, policy, group in (
        (TEAM_B, "team a", None),
        (TEAM_B, "all", None),
        (TEAM_B, "each team", "a"),
        (TEAM_B, "each user", None),
        (TEAM_B, "each user", "carol"),
        (ALICE, "each user", "bob"),
    ):
        with pytest.raises(NotFound):
            standings.of_policy(caller, policy, group=group)
    with pytest.raises(NotFound):
        standings.of_budget(TEAM_B, "budget a")


def test_when_a_policy_last_judged_is_told(world: World) -> None:
    world.pass_seconds(20)
    first, second = world.policy("1usd/day"), world.policy("1usd/month", scope={"team": "z"})
    standings = Standings(world.reader)
    ids = [first.policy_id, second.policy_id]
    assert standings.last_judged(ids) == {}
    assert standings.last_judged([]) == {}

    world.spend("0.5")
    spent_us = world.now_us
    assert standings.last_judged(ids) == {first.policy_id: spent_us}
    world.pass_seconds(90)
    assert not hasattr(world.spend("0.9"), "granted")
    told = standings.last_judged(ids)[first.policy_id]

    assert spent_us < told <= world.now_us


@pytest.mark.parametrize(
    ("field", "ask"),
    [
        ("window", {"window": "last"}),
        ("sort", {"sort": "spent"}),
        ("after", {"part": Slice(after="W10")}),
        ("after", {"part": Slice(after="W10"), "sort": "name"}),
        ("after", {"part": Slice(after="W10"), "window": "all"}),
        ("group", {"group": "alice/bob"}),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(
    quick: World, field: str, ask: dict[str, object]
) -> None:
    quick.policy(name="each", per=["user", "model"] if field == "group" else ["user"])
    if field == "group":
        ask = {"group": "alice"}
    with pytest.raises(BudgetError) as refusal:
        Standings(quick.reader).of_policy(LOCAL, "each", **ask)

    assert isinstance(refusal.value, InvalidInput)
    assert [fault.field for fault in refusal.value.fields] == [field]


def test_many_policies_of_a_budget_are_not_counted(
    quick: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tekton_budget.service.reporting import standings

    monkeypatch.setattr(standings, "COUNTED_POLICIES_MAX", 1)
    quick.policy("10usd/day")
    quick.policy("10usd/month")

    page = Standings(quick.reader).of_budget(LOCAL, "default", part=Slice(limit=1))

    assert (page.total, len(page.items)) == (None, 1)


@pytest.mark.parametrize(
    ("allowance", "used", "share"),
    [
        (Limits(), Amounts(5, 5, 5), None),
        (Limits(tokens=10), Amounts(5), 500_000),
        (Limits(tokens=10, cost_nano=100), Amounts(5, 80), 800_000),
        (Limits(requests=0), Amounts(), 1_000_000),
        (Limits(tokens=10), Amounts(25), 2_500_000),
        (Limits(tokens=10), Amounts(-3), 0),
    ],
)
def test_the_share_is_that_of_the_fullest_unit(
    allowance: Limits, used: Amounts, share: int | None
) -> None:
    assert share_ppm(allowance, used) == share
