"""Commands on a database and against a server: the same words, the same answers."""

import csv
import io
import json
import shlex

import pytest


def test_set_makes_a_limit_and_names_a_command_that_is_really_denied(run) -> None:
    made = run("set", "team=a", "2usd/month")

    assert made.code == 0
    assert made.json["created"] is True
    assert made.json["policy"]["name"] == "team=a monthly"
    denied_by = shlex.split(made.json["denied_by"])
    assert denied_by[:3] == ["tekton-budget", "allocations", "create"]
    denied = run(*denied_by[1:])
    assert denied.code == 4
    assert denied.err.startswith("over_budget: Over budget: this call may cost up to $2.01")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["5usd/day"], "daily"),
        (["team=a", "50", "usd", "per", "month"], "team=a monthly"),
        (["50usd/month", "--per", "user"], "monthly per user"),
        (["50usd/month", "--per", "user,team"], "monthly per user,team"),
        (["model=claude-opus-*", "5Mtokens/day"], "model=claude-opus-* daily tokens"),
        (["model=gpt-*,!gpt-4*", "20usd/24h"], "model=gpt-*,!gpt-4* rolling 24 h"),
        (["100requests/hour", "feature=x"], "feature=x hourly requests"),
        (["10usd", "--name", "all there is"], "all there is"),
    ],
)
def test_each_limit_that_is_set_denies_the_command_it_names(run_here, words, name) -> None:
    made = run_here("set", *words)

    assert made.json["policy"]["name"] == name
    assert run_here(*shlex.split(made.json["denied_by"])[1:]).code == 4


@pytest.mark.parametrize(
    ("flags", "enforcement"),
    [
        (["--warn"], "warn"),
        (["--soft"], "soft_limit"),
        (["--count"], "ignore"),
        (["--hard"], "hard_limit"),
    ],
)
def test_what_passing_does_can_be_said_and_changed(run_here, flags, enforcement) -> None:
    run_here("set", "5usd/day")

    changed = run_here("set", "5usd/day", *flags)

    assert changed.json["created"] is False
    assert changed.json["policy"]["enforcement"] == enforcement
    assert (changed.json["denied_by"] is None) == (enforcement != "hard_limit")


def test_a_shadow_limit_lets_everything_through(run_here) -> None:
    assert run_here("set", "1usd/day", "--shadow").json["denied_by"] is None

    granted = run_here("allocations", "create", "--cost", "5")

    assert granted.code == 0
    assert granted.json["would_deny"]
    assert run_here("set", "1usd/day", "--no-shadow").json["denied_by"] is not None


def test_set_changes_in_place_and_keeps_what_was_counted(run) -> None:
    run("set", "1usd/day", "--per", "user")
    run("usage", "record", "user=alice", "--cost", "0.7")

    changed = run("set", "2usd/day", "--per", "user")

    assert changed.json["created"] is False
    assert changed.json["groups"][0]["spent"]["cost"] == 0.7
    assert changed.json["groups"][0]["remaining"]["cost"] == 1.3


def test_set_says_what_is_kept_for_the_end_and_which_models_come_next(run) -> None:
    made = run("set", "1usd/day", "--landing", "10%", "--ladder", "a,b", "--ladder", "c").json
    kept = run("set", "2usd/day").json
    without = run("set", "2usd/day", "--landing", "0").json

    for one, landing in ((made, 0.1), (kept, 0.1), (without, 0)):
        assert (one["policy"]["landing"], one["policy"]["ladder"]) == (landing, ["a", "b", "c"])


def test_set_for_makes_and_removes_an_exception(run) -> None:
    run("set", "1usd/day", "--per", "user")

    run("set", "--for", "user=alice", "5usd/day")
    assert run("allocations", "create", "user=alice", "--cost", "4", "--dry-run").code == 0
    run("set", "--for", "user=alice", "unlimited")
    assert run("allocations", "create", "user=alice", "--cost", "4000", "--dry-run").code == 0
    run("set", "--for", "user=alice", "off")

    assert run("allocations", "create", "user=alice", "--cost", "4", "--dry-run").code == 4
    missing = run("set", "--for", "team=a", "5usd/day")
    assert missing.code == 5
    assert "set 50usd/day --per team" in missing.err


def test_set_off_ends_the_limit_that_is_meant(run) -> None:
    run("set", "team=a", "1usd/day")
    run("set", "team=a", "9usd/month")

    several = run("set", "team=a", "off", "--yes")
    unasked = run("set", "team=a", "off/day")
    ended = run("set", "team=a", "off/day", "--yes")
    none = run("set", "team=b", "off", "--yes")

    assert (several.code, unasked.code, ended.code, none.code) == (3, 2, 0, 5)
    assert '"team=a daily", "team=a monthly"' in several.err
    assert [one["name"] for one in run("policies", "list").json] == ["team=a monthly"]


def test_the_hint_of_a_denial_works_as_it_is_printed(run) -> None:
    run("set", "team=a b", "1usd/day")
    run("set", "team=a b", "1usd/week")
    denied = run("allocations", "create", "team=a b", "--cost", "1.5")
    assert denied.code == 4

    for _ in range(2):
        hint = denied.err.partition("More: ")[2].splitlines()[0].partition(" 1 more limit")[0]
        assert run(*shlex.split(hint)[1:]).code == 0
        denied = run("allocations", "create", "team=a b", "--cost", "1.5")

    assert denied.code == 0


@pytest.mark.parametrize(
    "setting",
    [
        ["1usd/day"],
        ["team=a", "1usd/day"],
        ["1usd/day", "--per", "user"],
        ["team=a", "1usd/day", "--per", "user,feature"],
        ["model=m*", "1usd/day", "--per", "user"],
        ["1usd/day", "--per", "customer"],
    ],
)
def test_every_kind_of_limit_has_a_hint_that_works(run_here, setting) -> None:
    run_here("set", *setting)
    ask = ["allocations", "create", "team=a", "user=al ice", "feature=it's", "model=m1"]
    denied = run_here(*ask, "--cost", "1.5")
    assert denied.code == 4

    given = run_here(*shlex.split(denied.err.partition("More: ")[2])[1:])

    assert given.code == 0, given.err
    assert run_here(*ask, "--cost", "1.5").code == 0


def test_credit_that_may_mean_several_limits_lists_the_commands(run) -> None:
    run("set", "1usd/day", "--per", "user")
    run("set", "5usd/week", "--per", "user")

    asked = run("credit", "user=alice", "20usd", "--reason", "demo")

    assert asked.code == 3
    commands = [line.strip() for line in asked.err.splitlines() if "tekton-budget credit" in line]
    assert len(commands) == 2
    given = run(*shlex.split(commands[0])[1:], "--expires", "12h")
    assert given.json["allowance"]["cost"] == 21
    assert given.json["expires_at"] is not None


def test_a_call_is_asked_for_extended_and_settled(run) -> None:
    run("set", "1usd/day")

    hold = run("allocations", "create", "team=a", "--cost", "0.4", "--id", "mine").json
    extended = run("allocations", "extend", "mine", "2h").json
    settled = run("allocations", "settle", "mine", "--cost", "0.1").json

    assert hold["allocation_id"] == "mine"
    assert extended["expires_at"] > hold["expires_at"]
    assert settled["released"]["cost"] == 0.3
    assert run("allocations", "show", "mine").json["status"] == "settled"
    assert [one["allocation_id"] for one in run("allocations", "list", "team=a").json] == ["mine"]
    assert run("allocations", "list", "team=b").json == []
    assert run("allocations", "list", "--active").json == []
    released = run("allocations", "create", "--cost", "0.4").json["allocation_id"]
    assert run("allocations", "release", released).json["status"] == "released"


def test_usage_is_recorded_listed_and_summed(run) -> None:
    for user in ("alice", "bob", "alice"):
        run("usage", "record", f"user={user}", "model=x", "--cost", "0.1", "--input-tokens", "10")

    lines = run("usage", "list", "user=alice", "--nl").out.splitlines()
    sheet = list(csv.DictReader(io.StringIO(run("usage", "list", "--csv").out)))
    summary = run("usage", "summary", "--by", "user").json
    report = list(csv.DictReader(io.StringIO(run("report", "--by", "user", "--csv").out)))

    assert [json.loads(line)["total_tokens"] for line in lines] == [10, 10]
    assert [row["cost"] for row in sheet] == ["0.1"] * 3
    assert summary["groups"]["user"]["alice"]["cost"] == 0.2
    assert {row["user"]: row["cost"] for row in report} == {"alice": "0.2", "bob": "0.1"}


def test_a_list_is_walked_to_its_end(run_here, monkeypatch) -> None:
    monkeypatch.setattr("tekton_budget.frontends.cli.terminal.session.PAGE", 2)
    for number in range(5):
        run_here("usage", "record", "--cost", "0.1", "--id", f"r{number}")

    assert len(run_here("usage", "list", "--nl").out.splitlines()) == 5
    assert len(run_here("usage", "list", "--limit", "3", "--nl").out.splitlines()) == 3


def test_prices_are_set_and_shown(run) -> None:
    run("prices", "set", "openai/gpt-5-mini", "--input", "0.25", "--output", "2")

    assert run("prices", "show", "gpt-5-mini").json["input"] == 0.25
    assert run("prices", "show", "openai/gpt-5-mini").json["output"] == 2
    assert len(run("prices", "history", "openai/gpt-5-mini").json) == 1
    assert len(run("prices", "list", "--provider", "openai").json) == 1
    unknown = run("prices", "show", "gpt-5-maxi")
    assert unknown.code == 5
    assert unknown.err.count("openai/gpt-5-mini") == 1  # the name that is near, said once
    assert run("prices", "set", "gpt", "--input", "1", "--output", "1").code == 3


def test_policies_are_made_changed_and_ended_by_their_fields(run) -> None:
    run("policies", "create", "limit=5usd/day", 'per=["user"]', "enforcement=soft_limit")

    changed = run("policies", "change", "daily per user", "cost_limit=7.25", "thresholds=[0.5]")
    run("policies", "except", "daily per user", "alice", "cost_limit=9")
    shown = run("policies", "show", "daily per user").json

    assert changed.json["cost_limit"] == 7.25
    assert shown["thresholds"] == [0.5]
    assert run("policies", "groups", "daily per user").code == 0
    assert run("policies", "end", "daily per user").code == 2
    assert run("policies", "end", "daily per user", "--yes").code == 0
    assert run("policies", "list").json == []
    assert run("policies", "create", "limit").code == 3


def test_budgets_are_made_changed_and_closed(run) -> None:
    run("budgets", "create", "search", "team=s", "--owner", "eve", "--limit", "5usd/day")

    run("budgets", "change", "search", "--owner", "bob")
    shown = run("budgets", "show", "search").json

    assert shown["owner"] == "bob"
    assert shown["balances"][0]["allowance"]["cost"] == 5
    assert [one["name"] for one in run("budgets", "list").json] == ["search"]
    assert run("budgets", "close", "search", "--yes").json["is_active"] is False
    made = run("budgets", "create", "tekton", "--template", "tekton").json
    assert len(made["policies"]) == 19


def test_status_shows_what_concerns_a_call(run) -> None:
    run("set", "team=a", "10usd/month")
    run("set", "team=b", "1usd/day")

    status = run("status", "team=a").json
    overview = run("status").json

    assert [one["name"] for one in status["policies"]] == ["team=a monthly"]
    assert status["near"][0]["label"] == "team"
    assert {one["name"] for one in overview["balances"]} == {"team=a monthly", "team=b daily"}


def test_keys_are_made_and_open_a_server(run_here, served, monkeypatch) -> None:
    made = run_here(
        *("--database-url", served.database_url, "keys", "create", "ci", "--label", "team=a"),
        *("--require", "user", "--limit", "1usd/month", "--expires", "90d"),
        *("--ladder", "a,b", "--takes-user"),
    ).json
    monkeypatch.setenv("BUDGET_URL", served.url)

    nobody = run_here("status")
    missing = run_here("--key", made["key"], "allocations", "create", "--cost", "0.1")
    denied = run_here("allocations", "create", "user=u", "--cost", "2", "--key", made["key"])
    refused = run_here("set", "5usd/day", f"--key={made['key']}")

    assert (nobody.code, missing.code, denied.code, refused.code) == (6, 3, 4, 6)
    assert "key=ci monthly" in denied.err
    monkeypatch.delenv("BUDGET_URL")
    on_it = ["--database-url", served.database_url]
    assert [one["requires"] for one in run_here(*on_it, "keys", "list").json] == [["user"]]
    assert (made["ladder"], made["takes_user"]) == (["a", "b"], True)
    rotated = run_here(*on_it, "keys", "rotate", "ci", "--overlap", "0").json
    assert rotated["key"] != made["key"]
    assert run_here(*on_it, "keys", "revoke", "ci", "--yes").code == 0


def test_verify_and_db_say_how_the_store_is(run_here) -> None:
    assert run_here("db", "status").json["schema"] == "fresh"
    run_here("set", "1usd/day")
    run_here("usage", "record", "--cost", "0.1")

    verified = run_here("verify")

    assert verified.code == 0
    assert verified.json["ok"] is True
    assert run_here("db", "status").json["schema"] == "current"
    assert run_here("db", "upgrade").json["revisions"] == []
    assert run_here("db", "path").json["path"].endswith("own.db")


def test_days_are_cut_in_the_zone_of_the_database(run_here, monkeypatch) -> None:
    run_here("usage", "record", "--cost", "0.1")

    monkeypatch.setenv("BUDGET_TIMEZONE", "Asia/Tokyo")
    refused = run_here("usage", "summary")
    assert refused.code != 0
    assert "tekton-budget db rezone Asia/Tokyo" in refused.err
    done = run_here("db", "rezone", "Asia/Tokyo").json

    assert (done["timezone"], done["usage"]) == ("Asia/Tokyo", 1)
    assert run_here("verify").json["ok"] is True
    monkeypatch.delenv("BUDGET_TIMEZONE")
    assert run_here("verify").json["ok"] is True
    assert run_here("db", "rezone", "Asia/Tokio").code == 3


def test_a_flipped_digit_fails_the_verification(run_here, tmp_path) -> None:
    import sqlite3

    run_here("set", "1usd/day")
    run_here("usage", "record", "--cost", "0.1")
    with sqlite3.connect(tmp_path / "own.db") as store:
        store.execute("UPDATE balances SET spent_cost_nano = spent_cost_nano + 1")
    store.close()

    verified = run_here("verify")

    assert verified.code == 1
    assert verified.json["findings"][0]["table"] == "balances"


def test_a_server_verifies_too(run_here, served) -> None:
    run_here("set", "1usd/day", "--url", served.url)
    run_here("usage", "record", "--cost", "0.1", "--url", served.url)

    there = run_here("verify", "--url", served.url)
    here = run_here("verify", "--database-url", served.database_url)

    assert there.code == 0
    assert there.json == here.json
    assert there.json["usage"] == 1


def test_what_needs_the_database_refuses_a_server(run_here, served) -> None:
    for words in (["db", "status"], ["db", "upgrade"], ["db", "path"], ["db", "rezone", "UTC"]):
        refused = run_here("--url", served.url, *words)
        assert refused.code == 2
        assert "leave out --url" in refused.err


def test_config_tells_where_each_setting_comes_from(run_here, monkeypatch, tmp_path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('timezone = "Europe/Berlin"\n')
    monkeypatch.setenv("BUDGET_ADMIN_KEY", "tb_live_secret")
    monkeypatch.setenv("BUDGET_KEY", "tb_live_other")

    told = run_here("config", "--config", str(file))
    rows = {row["name"]: row for row in told.json}

    assert (rows["timezone"]["value"], rows["timezone"]["source"]) == ("Europe/Berlin", str(file))
    assert rows["database_url"]["source"] == "environment"
    assert rows["port"] == {**rows["port"], "value": 8013, "source": "default"}
    assert rows["admin_key"]["value"] == rows["key"]["value"] == "********"
    assert "tb_live" not in told.out
    assert {row["name"] for row in run_here("config", "--changed").json} >= {"admin_key", "key"}
    assert run_here("config", "path", "--config", str(file)).json["config"] == str(file)


def test_config_shows_providers_and_none_of_their_secrets(run_here, monkeypatch) -> None:
    monkeypatch.setenv("BUDGET_UPSTREAM_GROQ", "https://me:hush@groq.example/v1")
    keys_alone = {row["name"]: row for row in run_here("config").json}["upstream_keys"]
    monkeypatch.setenv("BUDGET_UPSTREAM_KEY_GROQ", "sk-hush")

    rows = {row["name"]: row for row in run_here("config").json}
    monkeypatch.setenv("BUDGET_OUTPUT", "table")
    table = run_here("config", "--changed").out

    assert (keys_alone["source"], keys_alone["value"]) == ("default", {})
    assert rows["upstreams"] == {
        **rows["upstreams"],
        "value": {"groq": "https://me:********@groq.example/v1"},
        "source": "environment",
        "variable": "BUDGET_UPSTREAM_<NAME>",
    }
    assert rows["upstream_keys"]["value"] == {"groq": "********"}
    assert rows["upstream_keys"]["source"] == "environment"
    assert "groq=https" in table
    assert "hush" not in str(rows) + table


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["set"], 2, "Missing argument"),
        (["set", "team=a"], 3, "limit"),
        (["set", "50"], 3, "did you mean 50usd"),
        (["set", "5usd/day", "--warn", "--soft"], 2, "choose one"),
        (["nonsense"], 2, "No such command"),
        (["status", "team"], 3, "LABEL=VALUE"),
        (["policies", "show", "none"], 5, "policy_not_found"),
        (["allocations", "show", "none"], 5, "allocation_not_found"),
        (["allocations", "create", "--cost", "much"], 3, "USD"),
        (["allocations", "extend", "a", "soon"], 3, "15m, 12h or 90d"),
        (["credit", "20usd"], 3, "for whom"),
        (["credit", "team=a"], 3, "how much"),
        (["--config", "/no/such/file.toml", "status"], 3, "there is no file"),
        (["--database-url", "mysql://x/y", "status"], 3, "not supported"),
        (["--url", "nowhere", "status"], 3, "no address of a server"),
    ],
)
def test_errors_go_to_standard_error_with_their_exit_code(run_here, words, code, error) -> None:
    told = run_here(*words)

    assert told.code == code
    assert error in told.err
    assert told.out == ""


def test_a_server_that_does_not_answer_is_exit_code_7(run_here, unused_port, monkeypatch) -> None:
    monkeypatch.setattr("tekton_budget.frontends.cli.terminal.session.PATIENCE_SECONDS", 0.1)

    told = run_here("status", "--url", f"http://127.0.0.1:{unused_port}")

    assert told.code == 7
    assert told.err.startswith("unreachable: No server answers at")


def test_hints_repeat_how_the_budget_was_reached(run_here, served) -> None:
    made = run_here("set", "1usd/day", "--url", served.url)

    hint = shlex.split(made.json["denied_by"])

    assert hint[:3] == ["tekton-budget", "--url", served.url]
    assert run_here(*hint[1:]).code == 4


def test_every_command_has_a_short_help(run_here) -> None:
    from typer.main import get_command

    from tekton_budget.frontends.cli import app

    def walk(words, command):
        yield words
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk([*words, name], inner)

    for words in walk([], get_command(app)):
        told = run_here(*words, "--help")
        assert told.code == 0, words
        assert len(told.out.splitlines()) < 60, words
        assert "[[" not in told.out, words


def test_a_key_on_the_command_line_is_judged_on_the_database_too(run_here, monkeypatch) -> None:
    key = run_here("keys", "create", "ci", "--label", "team=a").json["key"]
    monkeypatch.setenv("BUDGET_KEY", "of another server")

    assert run_here("set", "1usd/day").code == 0
    assert run_here("set", "1usd/day", "--key", key).code == 6


def test_a_part_of_an_allocation_is_asked_for_and_ended_with_it(run) -> None:
    run("allocations", "create", "team=a", "--cost", "1", "--requests", "9", "--id", "plan")
    child = run("allocations", "create", "agent=x", "--parent", "plan", "--cost", "0.4").json

    assert child["labels"] == {"team": "a", "agent": "x"}
    listed = run("allocations", "list", "--parent", "plan").json
    assert [one["allocation_id"] for one in listed] == [child["allocation_id"]]
    assert run("allocations", "release", "plan").code != 0
    assert run("allocations", "release", "plan", "--cascade").json["status"] == "released"
    run("allocations", "create", "--cost", "1", "--requests", "9", "--id", "plan-2")
    run("allocations", "create", "--parent", "plan-2", "--cost", "0.4")
    settled = run("allocations", "settle", "plan-2", "--cost", "0.1", "--cascade").json
    assert settled["status"] == "settled"
