"""`alerts` on a database of one's own and against a server."""

import re


def crossed(run) -> None:
    run("set", "1usd/day", "--name", "daily")
    run("usage", "record", "--cost", "1.50")


def test_alerts_are_listed_shown_and_acknowledged(run) -> None:
    crossed(run)
    listed = run("alerts", "list", "--unacknowledged").json
    first = listed[0]
    shown = run("alerts", "show", first["alert_id"]).json
    seen = run("alerts", "acknowledge", first["alert_id"]).json
    again = run("alerts", "acknowledge", first["alert_id"]).json

    assert (first["severity"], first["type"]) == ("error", "cost_limit_exceeded")
    assert shown == first
    assert seen["acknowledged"] is True
    assert again == seen
    assert len(run("alerts", "list", "--unacknowledged").json) == len(listed) - 1
    assert [one["alert_id"] for one in run("alerts", "list", "--acknowledged").json] == [
        first["alert_id"]
    ]
    assert {one["severity"] for one in run("alerts", "list", "--severity", "warning").json} == {
        "warning"
    }
    assert len(run("alerts", "list", "--budget-id", "default", "--limit", "1").json) == 1


def test_all_at_once_and_what_stands_now(run) -> None:
    crossed(run)
    standing = run("alerts", "check", "--period", "daily").json
    done = run("alerts", "acknowledge", "--all").json

    assert [one["type"] for one in standing] == ["cost_limit_exceeded"]
    assert done["acknowledged"] >= 2
    assert run("alerts", "acknowledge", "--all").json["acknowledged"] == 0


def test_one_or_all_has_to_be_said(run_here) -> None:
    told = run_here("alerts", "acknowledge")

    assert told.code == 2
    assert run_here("alerts", "acknowledge", "x", "--all").code == 2
    assert run_here("alerts", "show", "x").code != 0


def test_people_get_sentences(shown) -> None:
    crossed(shown)
    table = shown("alerts", "list").out
    id_ = re.findall(r"[0-9a-f-]{36}", table)[0]

    assert "daily is over its" in table
    assert "$1.50 of $1.00 used (150%)" in shown("alerts", "show", id_).out
    assert "Acknowledged by local." in shown("alerts", "acknowledge", id_).out
    assert "acknowledged." in shown("alerts", "acknowledge", "--all").out
    assert "daily is over" in shown("alerts", "check").out
