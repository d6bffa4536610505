"""`prices recommend`, for programs and for people."""


def set_prices(run) -> None:
    for model, rate in (("openai/gpt-5", 10), ("openai/gpt-5-mini", 1), ("local/llama-3", 0)):
        run("prices", "set", model, "--input", str(rate), "--output", str(rate))


def test_cheaper_models_are_named_with_what_they_save(run) -> None:
    set_prices(run)
    words = ("prices", "recommend", "openai/gpt-5", "--input", "1000000", "--output", "1000")
    found = run(*words)
    some = run(*words, "--provider", "openai", "--limit", "1", "--context", "5000")
    named = run("prices", "recommend", "gpt-5", "--needs", "tools,vision", "--json")

    assert found.code == 0
    assert [one["model"] for one in found.json["items"]] == ["llama-3", "gpt-5-mini"]
    assert found.json["current_cost"] == 10.01
    assert found.json["items"][1]["estimated_cost"] == 1.001
    assert [one["model"] for one in some.json["items"]] == ["gpt-5-mini"]
    assert some.json["needs"]["context_tokens"] == 1_001_000
    assert {"tools", "input.image"} <= set(named.json["items"][0]["unknown"])
    assert [one["fits"] for one in named.json["items"]] == [None, None]


def test_without_a_model_all_are_named(run_here) -> None:
    set_prices(run_here)

    found = run_here("prices", "recommend", "--csv")
    assert [line.split(",")[1] for line in found.out.splitlines()[1:]] == [
        "llama-3",
        "gpt-5-mini",
        "gpt-5",
    ]


def test_people_see_a_table_and_why_it_is_empty(shown) -> None:
    set_prices(shown)
    table = shown("prices", "recommend", "openai/gpt-5")
    none = shown("prices", "recommend", "local/llama-3")
    all_ = shown("prices", "recommend", "--limit", "1")
    refused = shown("prices", "recommend", "openai/gpt-5", "--needs", "wings")

    assert "$0.036 (90 %)" in table.out
    assert "nothing" in table.out
    assert "its kind of work" in table.out
    assert "local_midweight" in table.out
    assert none.out.startswith("No cheaper model is known")
    assert "–" in all_.out
    assert refused.code != 0
    assert "wings" in refused.err
