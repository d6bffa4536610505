"""Keys: shown once, told by their hash, forced on calls, rotated with overlap, revoked."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from decimal import Decimal
from typing import Any

import pytest

from tekton_budget.domain.answer import Grant
from tekton_budget.domain.caller import LOCAL, Caller, Role
from tekton_budget.domain.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    Unauthenticated,
)
from tekton_budget.service.asking.asks import Ask, Used
from tekton_budget.service.asking.retries import Retry
from tekton_budget.service.keys import DAY_US
from tekton_budget.settings import load_settings
from tekton_budget.wiring import Running, open_service


def test_a_key_is_shown_once_and_stored_hashed(running: Running) -> None:
    verbs = running.service.keys
    assert not verbs.has_keys()
    made = verbs.create_key(
        LOCAL, "team a", role="client", labels={"team": "a"}, requires=("user",)
    )

    assert made.secret.startswith("tb_live_")
    assert made.secret not in repr(verbs.list_keys(LOCAL))
    assert verbs.has_keys()
    caller = verbs.authenticate(made.secret)
    assert (caller.role, caller.labels, caller.requires) == (Role.CLIENT, {"team": "a"}, ("user",))
    assert caller.max_priority == 9
    with pytest.raises(Unauthenticated):
        verbs.authenticate(made.secret + "x")


def test_its_labels_are_forced_and_required_ones_asked_for(running: Running) -> None:
    verbs, ledger = running.service.keys, running.service.ledger
    caller = verbs.authenticate(
        verbs.create_key(LOCAL, "a", labels={"team": "a"}, requires=("user",)).secret
    )
    with pytest.raises(InvalidInput) as missing:
        ledger.allocate(caller, Ask(cost=Decimal(1)))
    assert missing.value.code == "label_missing"

    grant = ledger.allocate(
        caller, Ask(labels={"team": "b", "user": "u"}, cost=Decimal(1))
    ).result()
    assert isinstance(grant, Grant)
    running.service.policies.create_policy(LOCAL, {"limit": "2usd/day", "scope": {"team": "a"}})
    running.service.policies.create_policy(LOCAL, {"limit": "2usd/day", "scope": {"key": "a"}})
    second = ledger.allocate(caller, Ask(labels={"user": "u"}, cost=Decimal(1))).result()
    assert [standing.name for standing in second.policies] == ["team=a daily", "key=a daily"]


def test_a_rotated_key_overlaps_and_acts_on_what_the_old_one_made(
    running: Running, clock: Any
) -> None:
    verbs, ledger = running.service.keys, running.service.ledger
    old = verbs.create_key(LOCAL, "a", labels={"team": "a"})
    held = ledger.allocate(verbs.authenticate(old.secret), Ask(cost=Decimal(1))).result()
    new = verbs.rotate_key(LOCAL, "a", overlap_us=DAY_US)
    stranger = verbs.create_key(LOCAL, "b", labels={"team": "b"})

    assert verbs.authenticate(old.secret).labels == verbs.authenticate(new.secret).labels
    with pytest.raises(NotFound):
        ledger.settle(verbs.authenticate(stranger.secret), held.allocation_id).result()
    ended = ledger.settle(
        verbs.authenticate(new.secret), held.allocation_id, Used(cost=Decimal("0.5"))
    ).result()
    assert ended.cost_nano == 500_000_000
    clock.pass_seconds(DAY_US // 1_000_000)
    with pytest.raises(Unauthenticated):
        verbs.authenticate(old.secret)
    assert verbs.authenticate(new.secret).name == "a"


def test_a_key_ends_by_revocation_and_by_time(running: Running, clock: Any) -> None:
    verbs = running.service.keys
    revoked, short = (
        verbs.create_key(LOCAL, "a"),
        verbs.create_key(LOCAL, "b", expires_in_us=60_000_000),
    )
    verbs.revoke_key(LOCAL, "a")
    with pytest.raises(Unauthenticated):
        verbs.authenticate(revoked.secret)
    verbs.authenticate(short.secret)
    clock.pass_seconds(60)
    with pytest.raises(Unauthenticated):
        verbs.authenticate(short.secret)
    with pytest.raises(NotFound):
        verbs.revoke_key(LOCAL, "a")
    assert not verbs.has_keys()
    verbs.create_key(LOCAL, "a")


def test_a_revoked_name_ends_the_secret_before_its_rotation_too(running: Running) -> None:
    verbs = running.service.keys
    old, other = verbs.create_key(LOCAL, "a"), verbs.create_key(LOCAL, "b")
    new = verbs.rotate_key(LOCAL, "a", overlap_us=DAY_US)

    verbs.revoke_key(LOCAL, "a")

    for made in (old, new):
        with pytest.raises(Unauthenticated):
            verbs.authenticate(made.secret)
    assert verbs.authenticate(other.secret).name == "b"


def test_a_revoked_id_leaves_the_rotated_one_as_it_is(running: Running) -> None:
    verbs = running.service.keys
    old = verbs.create_key(LOCAL, "a")
    new = verbs.rotate_key(LOCAL, "a", overlap_us=DAY_US)

    verbs.revoke_key(LOCAL, new.key.key_id)

    assert verbs.authenticate(old.secret).name == "a"


def test_the_last_use_is_noted_at_most_once_a_minute(running: Running, clock: Any) -> None:
    verbs = running.service.keys
    made = verbs.create_key(LOCAL, "a")
    verbs.authenticate(made.secret)
    clock.pass_seconds(30)
    verbs.authenticate(made.secret)
    running.writer.exclusively(lambda alone: None).result()

    assert verbs.list_keys(LOCAL)[0].last_used_us == clock.now_us - 30_000_000


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "a\tb"}, "name"),
        ({"name": "a", "role": "god"}, "role"),
        ({"name": "a", "max_priority": 11}, "max_priority"),
        ({"name": "a", "expires_in_us": 0}, "expires"),
        ({"name": "a", "labels": {"team": ""}}, "labels.team"),
        ({"name": "a", "ladder": ["m", "m"]}, "ladder"),
    ],
)
def test_faulty_fields_are_named(quick: Running, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        quick.service.keys.create_key(LOCAL, **fields)
    assert refused.value.fields[0].field == field


def test_only_admins_without_labels_manage_keys(quick: Running) -> None:
    verbs = quick.service.keys
    for caller in (Caller(role=Role.OPERATOR), Caller(role=Role.ADMIN, labels={"team": "a"})):
        for refused in (
            lambda who=caller: verbs.create_key(who, "x"),
            lambda who=caller: verbs.rotate_key(who, "x"),
            lambda who=caller: verbs.revoke_key(who, "x"),
            lambda who=caller: verbs.list_keys(who),
        ):
            with pytest.raises(Forbidden):
                refused()
    verbs.create_key(LOCAL, "x")
    with pytest.raises(Conflict):
        verbs.create_key(LOCAL, "x")
    with pytest.raises(InvalidInput):
        verbs.rotate_key(LOCAL, "x", overlap_us=-1)


def test_the_first_admin_key_comes_from_the_environment_once(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDGET_ADMIN_KEY", "tb_live_of_the_container")
    for _ in range(2):
        with open_service(load_settings(database_url=sqlite_url)) as running:
            caller = running.service.keys.authenticate("tb_live_of_the_container")
            assert (caller.role, len(running.service.keys.list_keys(LOCAL))) == (Role.ADMIN, 1)


def test_a_key_that_was_rotated_ends_no_later_for_being_rotated_again(
    quick: Running, clock: Any
) -> None:
    verbs = quick.service.keys
    old = verbs.create_key(LOCAL, "a")
    verbs.rotate_key(LOCAL, "a", overlap_us=60_000_000)
    verbs.rotate_key(LOCAL, old.key.key_id, overlap_us=DAY_US)
    clock.pass_seconds(61)

    with pytest.raises(Unauthenticated):
        verbs.authenticate(old.secret)


def test_a_secret_is_not_shown_again_to_a_retry(quick: Running) -> None:
    verbs, retry = quick.service.keys, Retry("once", "key", "{}")
    made = verbs.create_key(LOCAL, "a", retry=retry)

    with pytest.raises(Conflict, match=f"made the key {made.key.key_id} already"):
        verbs.create_key(LOCAL, "a", retry=retry)
    assert len(verbs.list_keys(LOCAL)) == 1


def test_callers_that_wait_for_the_keys_do_not_read_them_again(
    quick: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    verbs = quick.service.keys
    made = verbs.create_key(LOCAL, "a")
    reads: list[None] = []
    read = verbs._read

    def counted() -> Any:
        reads.append(None)
        return read()

    @contextmanager
    def waited_for() -> Iterator[None]:
        monkeypatch.setattr(verbs, "_lock", nullcontext())
        verbs.authenticate(made.secret)  # the one who held the lock until now
        yield

    monkeypatch.setattr(verbs, "_read", counted)
    monkeypatch.setattr(verbs, "_lock", waited_for())
    verbs._forget()

    assert verbs.authenticate(made.secret).role is Role.CLIENT
    assert len(reads) == 1


def test_a_key_may_name_models_to_go_on_with_and_take_the_user_of_a_body(running: Running) -> None:
    verbs = running.service.keys
    plain = verbs.authenticate(verbs.create_key(LOCAL, "plain").secret)
    made = verbs.create_key(LOCAL, "app", ladder=("gpt-5", "gpt-5-mini"), takes_user=True)
    rotated = verbs.rotate_key(LOCAL, "app")

    assert (plain.ladder, plain.takes_user) == ((), False)
    for secret in (made.secret, rotated.secret):
        caller = verbs.authenticate(secret)
        assert (caller.ladder, caller.takes_user) == (("gpt-5", "gpt-5-mini"), True)
