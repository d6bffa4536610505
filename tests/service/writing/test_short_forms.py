"""The daily acts in few words: which policy and group are meant, and what is said where several may be."""

from decimal import Decimal

import pytest

from tekton_budget.domain.amounts import Amounts, Limits
from tekton_budget.domain.answer import Denial, Grant
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import BudgetError, Conflict, NotFound
from tekton_budget.domain.period import Period
from tekton_budget.service.asking.asks import Ask
from tekton_budget.service.limiting.policies import PolicyVerbs
from tekton_budget.service.limiting.short_forms import SetLimit
from tekton_budget.wiring import Running

USD = 10**9
TEAM_A = Caller("ka", "a", Role.ADMIN, {"team": "a"})


def put(running: Running, limit: str, caller: Caller = LOCAL, **fields: object) -> SetLimit:
    budget = fields.pop("budget", None)
    return running.service.short.set_limit(caller, {"limit": limit, **fields}, budget=budget)


def credit(
    running: Running, policy: str | None = None, group: str | None = None, **labels: str
) -> tuple[str, str]:
    """Give a dollar; which policy got it, and which group."""
    given = running.service.short.give_credit(
        LOCAL, Amounts(cost_nano=USD), labels=labels, policy=policy, group=group
    ).result()
    found = running.reader.policies().current(given.policy_id)
    assert found is not None
    return found.name, given.group


def refused(running: Running, **fields: str) -> BudgetError:
    with pytest.raises(BudgetError) as error:
        credit(running, **fields)
    return error.value


# A limit --------------------------------------------------------------------------------------------


def test_the_second_limit_of_the_same_kind_changes_the_first(quick: Running) -> None:
    made = put(quick, "5usd/day", scope={"team": "a"}, per=["user", "model"])
    again = put(quick, "7usd/day", scope={"team": "a"}, per=["model", "user"])

    assert (made.created, again.created) == (True, False)
    assert again.policy.policy_id == made.policy.policy_id
    assert again.policy.limits == Limits(None, 7 * USD, None)


@pytest.mark.parametrize(
    "other",
    [
        {"limit": "5usd/week"},
        {"limit": "5usd/3h"},
        {"limit": "5usd/day", "per": ["user"]},
        {"limit": "5usd/day", "scope": {"team": "b"}},
        {"limit": "5usd/day", "model": "gpt-5"},
        {"limit": "5requests/day"},
        {"limit": "5usd/day", "name": "of its own"},
    ],
)
def test_a_limit_of_another_kind_is_another_policy(quick: Running, other: dict[str, str]) -> None:
    first = put(quick, "5usd/day").policy

    made = put(quick, **other)

    assert made.created
    assert made.policy.policy_id != first.policy_id
    assert len(quick.reader.policies().counting) == 2


def test_units_that_are_not_named_keep_their_limits(quick: Running) -> None:
    put(quick, "5usd+100tokens/day")

    changed = put(quick, "50tokens/day").policy

    assert changed.limits == Limits(50, 5 * USD, None)


def test_of_several_that_are_alike_the_one_of_the_same_units_is_meant(quick: Running) -> None:
    both = quick.service.policies.create_policy(
        LOCAL, {"limit": "5usd+100tokens/day", "name": "both"}
    ).policy
    quick.service.policies.create_policy(LOCAL, {"limit": "5usd/day", "name": "money"})

    assert put(quick, "9usd/day").policy.name == "money"
    assert put(quick, "9usd+9tokens/day").policy.policy_id == both.policy_id


def test_where_several_may_be_meant_they_are_named(quick: Running) -> None:
    for name in ("one", "two"):
        quick.service.policies.create_policy(LOCAL, {"limit": "5usd/day", "name": name})

    with pytest.raises(Conflict, match='"one", "two"') as error:
        put(quick, "9usd/day")

    assert (error.value.code, error.value.extra["choices"]) == ("ambiguous", ["one", "two"])


def test_a_name_changes_what_else_is_said_with_it(quick: Running) -> None:
    made = put(quick, "5usd/day", name="purse").policy
    quick.service.policies.change_policy(LOCAL, "purse", {"enabled": False})

    same = put(quick, "6usd/day", name=" purse ").policy
    other = put(quick, "7usd/3h", name="purse", scope={"team": "a"}, per=["user"]).policy
    last = put(quick, "8usd/month", name="purse", model="gpt-5").policy

    assert (same.no, same.limits.cost_nano, same.enabled) == (made.no, 6 * USD, True)
    assert other.policy_id == last.policy_id == made.policy_id
    assert (other.schedule.period, other.schedule.length_us) == (Period.ROLLING, 3 * 3600 * 10**6)
    assert (other.scope.to_json(), other.per) == ({"team": "a"}, ("user",))
    assert last.schedule.period is Period.MONTHLY
    assert last.scope.to_json()["model"] == "gpt-5"


def test_a_key_of_a_team_changes_its_own_alone(quick: Running) -> None:
    put(quick, "5usd/day")
    mine = put(quick, "2usd/day", TEAM_A).policy
    again = put(quick, "3usd/day", TEAM_A)

    assert mine.scope.to_json() == {"team": "a"}
    assert (again.created, again.policy.policy_id) == (False, mine.policy_id)


def test_a_limit_in_another_budget_leaves_this_one_alone(quick: Running) -> None:
    quick.service.policies.create_budget(LOCAL, name="other", scope={"team": "a"})
    first = quick.service.policies.create_policy(
        LOCAL, {"limit": "5usd/day", "name": "theirs"}, budget="other"
    ).policy

    here = put(quick, "6usd/day")
    there = put(quick, "7usd/day", budget="other")

    assert here.created
    assert (there.created, there.policy.policy_id) == (False, first.policy_id)
    assert there.policy.limits.cost_nano == 7 * USD


def test_a_limit_without_an_amount_is_refused(quick: Running) -> None:
    with pytest.raises(BudgetError, match="say how much"):
        quick.service.short.set_limit(LOCAL, {"scope": {"team": "a"}})


def test_a_limit_that_another_made_meanwhile_is_changed(
    quick: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at once set the same limit: the one that comes second changes what the first one made."""
    create = PolicyVerbs.create_policy

    def overtaken(self: PolicyVerbs, *args: object, **fields: object) -> object:
        monkeypatch.undo()
        create(self, *args, **fields)
        return create(self, *args, **fields)

    monkeypatch.setattr(PolicyVerbs, "create_policy", overtaken)

    told = put(quick, "5usd/day")

    assert not told.created
    assert [p.policy_id for p in quick.reader.policies().counting] == [told.policy.policy_id]


def test_a_name_that_a_policy_of_others_has_is_refused(quick: Running) -> None:
    put(quick, "5usd/day", name="purse", scope={"team": "b"})

    with pytest.raises(Conflict):
        put(quick, "1usd/day", TEAM_A, name="purse")

    assert quick.reader.policies().counting[0].limits.cost_nano == 5 * USD


# Credit ---------------------------------------------------------------------------------------------


@pytest.fixture
def several(quick: Running) -> Running:
    """Policies of three kinds that all concern a call of one user in a team."""
    put(quick, "5usd/day", name="all")
    put(quick, "5usd/day", name="team", scope={"team": "a"})
    put(quick, "5usd/day", name="each", per=["user"])
    put(quick, "5usd/day", name="each in team", scope={"team": "a"}, per=["user"])
    put(quick, "5requests/day", name="calls", per=["user"])
    return quick


def test_labels_mean_the_policy_that_they_name_in_full(several: Running) -> None:
    assert credit(several) == ("all", "")
    assert credit(several, team="a") == ("team", "")
    assert credit(several, user="alice") == ("each", "alice")
    assert credit(several, user="alice", team="a") == ("each in team", "alice")


def test_labels_of_a_group_mean_its_policy_whatever_its_scope(quick: Running) -> None:
    put(quick, "5usd/day", name="all")
    put(quick, "5usd/day", name="each in team", scope={"team": "a"}, per=["user"])

    assert credit(quick, user="alice") == ("each in team", "alice")


def test_other_labels_mean_all_that_concerns_them(quick: Running) -> None:
    put(quick, "5usd/day", name="all")

    assert credit(quick, component="x") == ("all", "")
    put(quick, "5usd/month", name="too")
    error = refused(quick, component="x")

    assert error.code == "ambiguous"
    assert "component=x may mean" in error.detail
    assert error.extra["choices"] == [
        {"policy": "all", "group": ""},
        {"policy": "too", "group": ""},
    ]
    assert "No label may mean" in refused(quick).detail


def test_what_no_policy_could_take_is_refused(quick: Running) -> None:
    put(quick, "5requests/day", name="calls")
    put(quick, "5usd/day", name="off", enabled=False)

    error = refused(quick, team="a")

    assert (error.code, type(error)) == ("policy_not_found", NotFound)
    assert "No policy that could take $1.00 is meant by team=a" in error.detail
    assert error.detail.endswith("tekton-budget status team=a")
    assert refused(quick).detail.endswith("tekton-budget status")


def test_a_named_policy_takes_its_group_from_the_labels_or_as_it_is_told(several: Running) -> None:
    assert credit(several, policy="each", user="alice") == ("each", "alice")
    assert credit(several, policy="each", group="bob", user="alice") == ("each", "bob")
    assert credit(several, policy="team") == ("team", "")
    assert "say for whom" in str(refused(several, policy="each").fields)


def test_credit_counts_once_however_often_it_is_told(quick: Running) -> None:
    put(quick, "1usd/day", name="purse")
    for _ in range(3):
        quick.service.short.give_credit(
            LOCAL, Amounts(cost_nano=USD), policy="purse", credit_id="launch"
        ).result()

    assert isinstance(_ask(quick, "2"), Grant)
    assert isinstance(_ask(quick, "0.01"), Denial)


def _ask(running: Running, usd: str) -> object:
    return running.service.ledger.allocate(LOCAL, Ask(cost=Decimal(usd))).result()
