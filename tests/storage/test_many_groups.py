"""One policy with a million groups: asked, listed by share and credited without a scan."""

from decimal import Decimal

import pytest
from sqlalchemy import text

from tekton_budget.domain.amounts import Amounts
from tekton_budget.domain.answer import Denial, Grant
from tekton_budget.domain.caller import LOCAL
from tekton_budget.service.asking.asks import Ask
from tekton_budget.settings import load_settings
from tekton_budget.wiring import Running, open_service

GROUPS = {"sqlite": 1_000_000, "postgresql": 200_000}

GROW = """
INSERT INTO balances (id, policy_no, grp, opens_us, closes_us, opened,
                      spent_cost_nano, spent_requests, share_permille, updated_us)
SELECT {no} || ':' || {opens} || ':user-' || i, {no}, 'user-' || i, {opens}, {closes}, 1,
       i * {each}, 1, i * {each} / 1000000, {opens} FROM ({numbers}) n
"""
NUMBERS = {
    "sqlite": "WITH RECURSIVE g(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM g WHERE i < {most}) "
    "SELECT i FROM g",
    "postgresql": "SELECT generate_series(0, {most}) AS i",
}


@pytest.mark.timeout(600)
def test_a_million_groups_are_asked_and_listed_without_a_scan(store_url: str) -> None:
    with open_service(load_settings(database_url=store_url)) as running:
        service = running.service
        dialect = running.store.engine.dialect.name
        groups = GROUPS[dialect]
        policy = service.policies.create_policy(
            LOCAL,
            {"limit": "1usd/month", "per": ["user"], "max_groups": groups + 1, "name": "each"},
        ).policy
        window = running.reader.policies().window(policy, running.reader.now_us())
        with running.store.engine.begin() as connection:
            numbers = NUMBERS[dialect].format(most=groups - 1)
            grow = GROW.format(
                no=policy.no,
                opens=window.opens_us,
                closes=window.closes_us,
                numbers=numbers,
                each=10**9 // groups,
            )
            connection.exec_driver_sql(grow)
            connection.execute(
                text("INSERT INTO group_counts (policy_no, opens_us, groups) VALUES (:n, :o, :g)"),
                {"n": policy.no, "o": window.opens_us, "g": groups},
            )
            connection.execute(text("ANALYZE balances" if dialect == "postgresql" else "ANALYZE"))

        assert isinstance(_ask(running, f"user-{groups - 1}", "0.0000009"), Grant)
        assert isinstance(_ask(running, f"user-{groups - 1}", "0.0001"), Denial)
        assert isinstance(_ask(running, f"user-{groups // 2}", "0.6"), Denial)
        service.ledger.give_credit(
            LOCAL, "each", Amounts(0, 10**9, 0), group=f"user-{groups // 2}"
        ).result()
        assert isinstance(_ask(running, f"user-{groups // 2}", "0.6"), Grant)
        assert isinstance(_ask(running, "one more", "0.1"), Grant)
        with pytest.raises(Exception, match=f"at most {groups + 1:,} groups"):
            _ask(running, "and another", "0.1")

        plan = _plan(running, dialect, policy.no, window.opens_us)
        assert "balances_by_share" in plan
        assert "Seq Scan" not in plan
        assert "TEMP B-TREE" not in plan


def _ask(running: Running, user: str, usd: str) -> object:
    ledger = running.service.ledger
    return ledger.allocate(LOCAL, Ask(labels={"user": user}, cost=Decimal(usd))).result()


def _plan(running: Running, dialect: str, policy_no: int, opens_us: int) -> str:
    explain = "EXPLAIN" if dialect == "postgresql" else "EXPLAIN QUERY PLAN"
    query = (
        f"{explain} SELECT grp FROM balances WHERE policy_no = {policy_no} AND opens_us = {opens_us} "
        "AND share_permille IS NOT NULL ORDER BY share_permille DESC, grp LIMIT 20"
    )
    with running.store.engine.connect() as connection:
        return "\n".join(str(row) for row in connection.execute(text(query)))
