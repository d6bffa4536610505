"""Names of every seller's kind: the card they mean, or the refusal they deserve."""

from datetime import UTC, datetime

import pytest
from tests.domain.naming.names_of_sources import at, curated

from tekton_budget.domain.naming import Alias, Resolution, Resolver, Unknown

AS_OF = at("2026-11-20")

# One line for each seller: the cards of a small book.
BOOK = """
openai: gpt-4o gpt-4o-2024-05-13 gpt-4o-mini gpt-4 gpt-4-turbo gpt-4.1 gpt-4.1-mini gpt-3.5-turbo gpt-3.5-turbo-16k
openai: gpt-5 gpt-5.4 gpt-5.4-mini gpt-5.6-sol gpt-5.6-luna o3 o3-mini o4-mini chatgpt-4o-latest gpt-4o-realtime-preview
openai: ft:gpt-4o-2024-08-06 ft:gpt-4o-mini-2024-07-18 ft:gpt-3.5-turbo text-embedding-ada-002 whisper-1
anthropic: claude-sonnet-4-20250514 claude-opus-4-5 claude-opus-4-1 claude-haiku-4-5-20251001 claude-sonnet-4-5 claude-sonnet-4-6
anthropic: claude-3-5-haiku-20241022 claude-3-5-sonnet-20241022 claude-3-7-sonnet-20250219 claude-2 claude-instant-1.2
google: gemini-2.5-pro gemini-2.5-flash gemini-2.5-flash-lite gemini-3.6-flash gemini-1.5-flash-8b gemini-2.0-flash
vertex: gemini-2.5-pro claude-sonnet-4@20250514 claude-opus-4-6@default claude-haiku-4-5@20251001 mistral-large-2411
vertex: meta/llama-4-maverick-17b-128e-instruct-maas gemini-1.5-pro-001
azure: gpt-4o gpt-4o-2024-05-13 gpt-4o-2024-08-06 us/gpt-4o-2024-08-06 gpt-4.1 o3 gpt-35-turbo gpt-35-turbo-16k gpt-5.4
azure: ft:gpt-4o-mini-2024-07-18
azure_ai: mistral-large-2411
bedrock: anthropic.claude-sonnet-4-5-20250929-v1:0 us.anthropic.claude-sonnet-4-5-20250929-v1:0 amazon.nova-pro-v1:0
bedrock: anthropic.claude-opus-4-6-v1 anthropic.claude-v2 anthropic.claude-v2:1 meta.llama3-1-70b-instruct-v1:0
bedrock: anthropic.claude-3-5-sonnet-20240620-v1:0 anthropic.claude-3-5-sonnet-20241022-v2:0 deepseek.r1-v1:0
bedrock: us-gov-west-1/anthropic.claude-3-haiku-20240307-v1:0 anthropic.claude-3-haiku-20240307-v1:0
mistral: mistral-large-2402 mistral-large-2407 mistral-large-2512 mistral-small-2603 codestral-2508 open-mistral-nemo
cohere: command-r-plus-08-2024 command-r-plus-04-2024 command-a-03-2025
xai: grok-4-0709 grok-4.5 grok-4-1-fast-reasoning grok-code-fast-1
moonshot: kimi-k2.5 kimi-k2-0905-preview
deepseek: deepseek-chat deepseek-reasoner deepseek-v4-pro
perplexity: sonar sonar-pro
alibaba: qwen3-max qwen2-5-72b-instruct
groq: llama-3.3-70b-versatile openai/gpt-oss-120b groq/compound qwen/qwen3-32b meta-llama/llama-4-scout-17b-16e-instruct
together: deepseek-ai/DeepSeek-V3.1 meta-llama/Llama-3.3-70B-Instruct-Turbo
fireworks: kimi-k2p5 deepseek-v3p1 llama-v3p1-405b-instruct
openrouter: anthropic/claude-sonnet-4.5 anthropic/claude-3.7-sonnet openai/gpt-4o openai/gpt-4o:extended openai/gpt-oss-120b
openrouter: openai/gpt-oss-120b:free openai/o4-mini-high openai/o4-mini x-ai/grok-4 google/gemini-2.5-pro qwen/qwen3-32b
openrouter: google/gemini-2.5-flash-preview
"""

# Provider (`-`: none), name, and the card it means, with the region if the price may depend on it.
KNOWN = """
-              gpt-4-0613                                     openai/gpt-4
-              gpt-4-1106-preview                             openai/gpt-4-turbo
-              gpt-3.5-turbo-0125                             openai/gpt-3.5-turbo
openai         gpt-3-5-turbo-16k                              openai/gpt-3.5-turbo-16k
openai         gpt-4o-20240806                                openai/gpt-4o
openai         openai/gpt-4o                                  openai/gpt-4o
-              OpenAI/GPT-4o                                  openai/gpt-4o
-              openai:gpt-4o                                  openai/gpt-4o
openai:chat    gpt-4o                                         openai/gpt-4o
openai         gpt-4o-realtime-preview-2024-12-17             openai/gpt-4o-realtime-preview
openai         gpt-5-6-luna                                   openai/gpt-5.6-luna
-              gpt-5.6-high                                   openai/gpt-5.6-sol
-              o3-low                                         openai/o3
-              gpt-5-minimal                                  openai/gpt-5
-              ft:gpt-4o-2024-08-06:acme::AbC123              openai/ft:gpt-4o-2024-08-06
openai         ft:gpt-4o-mini-2024-07-18:a:b:c:ckpt-step-90   openai/ft:gpt-4o-mini-2024-07-18
openai         ft:gpt-3.5-turbo-0125:acme::x                  openai/ft:gpt-3.5-turbo
Azure-OpenAI   gpt-4o-2024-05-13                              azure/gpt-4o-2024-05-13
azure          azure/us/gpt-4o-2024-08-06                     azure/us/gpt-4o-2024-08-06
azure          eu/gpt-4o-2024-08-06                           azure/gpt-4o-2024-08-06 eu
azure          global-standard/gpt-4o                         azure/gpt-4o
azure          azure/o_series/o3                              azure/o3
az.ai.openai   gpt-3.5-turbo-16k                              azure/gpt-35-turbo-16k
azure          gpt-35-turbo                                   azure/gpt-35-turbo
azure          gpt-5.4-2026-03-05                             azure/gpt-5.4
azure          eu/gpt-4o-mini-2024-07-18.ft-0a1b2c            azure/ft:gpt-4o-mini-2024-07-18 eu
-              azure_ai/mistral-large-2411                    azure_ai/mistral-large-2411
-              claude-sonnet-4-0                              anthropic/claude-sonnet-4-20250514
anthropic      claude-4.5-sonnet                              anthropic/claude-sonnet-4-5
anthropic      claude-opus-4.1                                anthropic/claude-opus-4-1
-              claude-haiku-4-5                               anthropic/claude-haiku-4-5-20251001
-              claude-3.5-haiku                               anthropic/claude-3-5-haiku-20241022
-              claude-3-5-sonnet-latest                       anthropic/claude-3-5-sonnet-20241022
anthropic      claude-2.1                                     anthropic/claude-2
google         models/gemini-2.5-flash                        google/gemini-2.5-flash
-              models/gemini-2.5-flash                        google/gemini-2.5-flash
google         publishers/google/models/gemini-2.5-pro        google/gemini-2.5-pro
gcp.gemini     gemini-flash-1.5-8b                            google/gemini-1.5-flash-8b
google         gemini-2.5-pro-preview-05-06                   google/gemini-2.5-pro
-              gemini-2.0-flash-001                           google/gemini-2.0-flash
vertex_ai      google/gemini-2.5-pro                          vertex/gemini-2.5-pro
vertex         claude-sonnet-4-20250514                       vertex/claude-sonnet-4@20250514
-              claude-haiku-4-5@20251001                      vertex/claude-haiku-4-5@20251001
vertex         claude-haiku-4-5@default                       vertex/claude-haiku-4-5@20251001
vertex         claude-opus-4-6@default                        vertex/claude-opus-4-6@default
vertex         gemini-1.5-pro@001                             vertex/gemini-1.5-pro-001
-              vertex_ai/meta/llama-4-maverick-17b-128e-instruct-maas vertex/meta/llama-4-maverick-17b-128e-instruct-maas
vertex         projects/p/locations/europe-west1/publishers/anthropic/models/claude-sonnet-4@20250514 vertex/claude-sonnet-4@20250514 eu
-              projects/p/locations/global/publishers/google/models/gemini-2.5-pro vertex/gemini-2.5-pro
vertex-ai-anthropic_models claude-sonnet-4@20250514           vertex/claude-sonnet-4@20250514
bedrock        us.anthropic.claude-sonnet-4-5-20250929-v1:0   bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0
aws            jp.anthropic.claude-sonnet-4-5-20250929-v1:0   bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0 jp
-              global.anthropic.claude-sonnet-4-5-20250929-v1:0 bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0
bedrock        us-gov.anthropic.claude-opus-4-6-v1:0          bedrock/anthropic.claude-opus-4-6-v1 us-gov
bedrock        claude-sonnet-4-5-20250929                     bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0
bedrock        anthropic.claude-v2:1:200k                     bedrock/anthropic.claude-v2:1
bedrock        anthropic.claude-v2                            bedrock/anthropic.claude-v2
bedrock        anthropic.claude-v2:0                          bedrock/anthropic.claude-v2
-              bedrock/us-east-1/amazon.nova-pro-v1:0         bedrock/amazon.nova-pro-v1:0
-              bedrock/us-gov-west-1/anthropic.claude-3-haiku-20240307-v1:0 bedrock/us-gov-west-1/anthropic.claude-3-haiku-20240307-v1:0
-              bedrock/us-gov-east-1/anthropic.claude-3-haiku-20240307-v1:0 bedrock/anthropic.claude-3-haiku-20240307-v1:0 us-gov
bedrock_converse us.deepseek.r1-v1:0                          bedrock/deepseek.r1-v1:0 us
-              eu.meta.llama3-1-70b-instruct-v1:0             bedrock/meta.llama3-1-70b-instruct-v1:0 eu
-              arn:aws:bedrock:eu-west-1:1:inference-profile/eu.amazon.nova-pro-v1:0 bedrock/amazon.nova-pro-v1:0 eu
-              arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.amazon.nova-pro-v1%3A0 bedrock/amazon.nova-pro-v1:0 us
bedrock        converse/arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/amazon.nova-pro-v1:0 bedrock/amazon.nova-pro-v1:0 us-gov
mistral        mistral-large-latest                           mistral/mistral-large-2512
mistralai      codestral-latest                               mistral/codestral-2508
mistral        mistral-large-2411                             mistral/mistral-large-2407
cohere_chat    command-r-plus                                 cohere/command-r-plus-08-2024
-              command-a                                      cohere/command-a-03-2025
x-ai           grok-4                                         xai/grok-4-0709
xai            grok-4.1-fast                                  xai/grok-4-1-fast-reasoning
-              mistralai/mistral-large-latest                 mistral/mistral-large-2512
-              x-ai/grok-code-fast                            xai/grok-code-fast-1
moonshotai     kimi-k2-5                                      moonshot/kimi-k2.5
-              deepseek/deepseek-reasoner                     deepseek/deepseek-reasoner
-              perplexity/sonar                               perplexity/sonar
-              dashscope/qwen3-max                            alibaba/qwen3-max
alibaba        qwen2.5-72b-instruct                           alibaba/qwen2-5-72b-instruct
-              llama-3.3-70b-versatile                        groq/llama-3.3-70b-versatile
groq           groq/compound                                  groq/groq/compound
-              groq/compound                                  groq/groq/compound
-              groq/openai/gpt-oss-120b                       groq/openai/gpt-oss-120b
together_ai    meta-llama/llama-3.3-70b-instruct-turbo        together/meta-llama/Llama-3.3-70B-Instruct-Turbo
-              deepseek-ai/DeepSeek-V3.1                      together/deepseek-ai/DeepSeek-V3.1
-              together_ai/deepseek-ai/DeepSeek-V3-1          together/deepseek-ai/DeepSeek-V3.1
-              accounts/fireworks/models/deepseek-v3p1        fireworks/deepseek-v3p1
fireworks-ai   deepseek-v3.1                                  fireworks/deepseek-v3p1
-              fireworks_ai/accounts/fireworks/models/llama-v3p1-405b-instruct fireworks/llama-v3p1-405b-instruct
openrouter     anthropic/claude-3.7-sonnet:thinking           openrouter/anthropic/claude-3.7-sonnet
openrouter     openai/gpt-4o:nitro:online                     openrouter/openai/gpt-4o
openrouter     openai/gpt-oss-120b:free                       openrouter/openai/gpt-oss-120b:free
openrouter     OpenAI/GPT-OSS-120B:free:online                openrouter/openai/gpt-oss-120b:free
openrouter     openai/o4-mini-high                            openrouter/openai/o4-mini-high
openrouter     openai/o4-mini-low                             openrouter/openai/o4-mini
openrouter     openrouter/openai/gpt-4o-2024-08-06            openrouter/openai/gpt-4o
openrouter     claude-sonnet-4.5                              openrouter/anthropic/claude-sonnet-4.5
openrouter     grok-4                                         openrouter/x-ai/grok-4
"""

REFUSED = """
openai         gpt-4o-2099-01-01
openai         gpt-4.1.1
openai         gpt-4o-
openai         gpt-4o-mini-high
openai         gpt-4o-latest
openai         gpt-3.5-turbo-0613
openai         ft:gpt-4-0613:acme::x
openai         ft:
openai         curie:ft-acme-2022-01-01
openai         azure/gpt-4o
openai         openai/openai/gpt-4o
openai         claude-sonnet-4-5
azure          my-gpt4-deployment
azure          us/my-deployment
azure          jp/gpt-4o
azure          azure/azure/gpt-4o
anthropic      claude-sonnet-99
anthropic      claude-sonnet-4-5-high
anthropic      claude-5-4-sonnet
anthropic      claude-sonnet
google         gemini-2.5-pro-imaginary
google         gemini-5.2-pro
google         tunedModels/my-model-123
google         gemini-pro-2
vertex         projects/p/locations/us-central1/endpoints/1234567890
vertex         publishers/acme/models/
-              projects/p/models/m
bedrock        arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6
bedrock        arn:aws:bedrock:us-east-1:123456789012:provisioned-model/amazon.nova-pro-v1:0
bedrock        arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-pro-v1:0/abc
-              arn:aws:bedrock:us-east-1:123456789012:imported-model/abc
bedrock        arn:aws:sagemaker:us-east-1:1:endpoint/amazon.nova-pro-v1:0
bedrock        anthropic.claude-v2:2
bedrock        anthropic.claude-3-5-sonnet
bedrock        us-east-1/1-month-commitment/anthropic.claude-v2:1
-              zz.amazon.nova-pro-v1:0
mistral        ft:open-mistral-nemo:acme:20240101:abc
deepseek       deepseek-v4-pro-max
fireworks      accounts/acme/models/kimi-k2p5
fireworks      accounts/fireworks/models/kimi-k2p5#accounts/acme/deployments/1
fireworks      accounts/acme/deployments/kimi-k2p5
openrouter     openrouter/auto
-              openrouter/auto
openrouter     anthropic/claude-3.7-sonnet:free
openrouter     openai/gpt-4o:beta
openrouter     google/gemini-2.5-flash-preview:thinking
openrouter     nothing/gpt-4o
-              openai/gpt-oss-120b
-              qwen/qwen3-32b
-              mistral-large-2411-preview
-              acme/gpt-4o
-              deepseek-ai/DeepSeek-V3-2
-              deepseek/deepseek-r1
-              gpt4o
groq           gpt-oss-120b
"""


def keys(text: str) -> list[tuple[str, str]]:
    rows = [line.split(": ", 1) for line in text.strip().splitlines()]
    return [(provider, model) for provider, models in rows for model in models.split()]


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines()]


RESOLVER = Resolver(keys(BOOK), curated())


def answer(
    resolver: Resolver, provider: str, name: str, at_us: int = AS_OF
) -> Resolution | Unknown:
    return resolver.resolve(None if provider == "-" else provider, name, at_us)


@pytest.mark.parametrize("line", lines(KNOWN), ids=" ".join)
def test_a_name_means_its_card(line: list[str]) -> None:
    provider, name, card, region = (*line, None)[:4]
    got = answer(RESOLVER, str(provider), str(name))

    assert isinstance(got, Resolution), got
    assert (f"{got.provider}/{got.model}", got.region) == (card, region)
    assert got.path


@pytest.mark.parametrize("line", lines(REFUSED), ids=" ".join)
def test_a_name_that_is_not_listed_is_refused(line: list[str]) -> None:
    got = answer(RESOLVER, line[0], line[1])

    assert isinstance(got, Unknown), got
    assert got.reason == "unknown model"
    assert len(got.suggestions) <= 3


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "''",
        "gpt-4\x00o",
        "gpt-4о",
        "gpt-4o\N{NO-BREAK SPACE}",
        "gpt-4\no",
        "g" * 301,
        "\ud800",
    ],
    ids=ascii,
)
def test_what_cannot_be_a_name_is_refused_and_says_what_can(name: str) -> None:
    got = RESOLVER.resolve("openai", name, AS_OF)

    assert isinstance(got, Unknown)
    assert "printable ASCII" in got.hint


@pytest.mark.parametrize("name", [" gpt-4o", "gpt-4o\t\r\n", "'gpt-4o'", ' "gpt-4o ', "`gpt-4o`"])
def test_blanks_and_stray_quotes_around_a_name_are_nothing(name: str) -> None:
    assert RESOLVER.resolve("openai", name, AS_OF) == RESOLVER.resolve("openai", "gpt-4o", AS_OF)


def test_a_letter_of_another_alphabet_still_gets_suggestions() -> None:
    got = RESOLVER.resolve("openai", "gpt-4о-mini", AS_OF)

    assert isinstance(got, Unknown)
    assert "openai/gpt-4o-mini" in got.suggestions


@pytest.mark.parametrize(
    ("provider", "name", "at_text", "card"),
    [
        ("mistral", "mistral-large-latest", "2024-07-23", "mistral-large-2402"),
        ("mistral", "mistral-large-latest", "2024-07-24", "mistral-large-2407"),
        ("mistral", "mistral-large-latest", "2025-12-01T23:59:59Z", "mistral-large-2407"),
        ("mistral", "mistral-large-latest", "2025-12-02", "mistral-large-2512"),
        ("mistral", "mistral-large-latest", "2023-01-01", None),
        ("google", "gemini-flash-latest", "2026-08-15", "gemini-2.5-flash"),
        ("google", "gemini-flash-latest", "2026-11-12", "gemini-3.6-flash"),
        ("cohere", "command-r-plus", "2024-08-29", "command-r-plus-04-2024"),
        ("cohere", "command-r-plus", "2024-08-30", "command-r-plus-08-2024"),
    ],
)
def test_a_floating_name_means_what_it_meant_that_day(
    provider: str, name: str, at_text: str, card: str | None
) -> None:
    got = RESOLVER.resolve(provider, name, at(at_text))

    assert (got.model if isinstance(got, Resolution) else None) == card


def test_the_path_tells_every_step() -> None:
    long = "azure/eu/gpt-4o-2024-08-06"
    floating = RESOLVER.resolve("mistralai", "mistral/mistral-large-2411", AS_OF)

    assert RESOLVER.resolve("openai", "gpt-4o", AS_OF)[3] == ("exact",)  # type: ignore[misc]
    assert answer(RESOLVER, "-", long)[3] == ("prefix azure", "zone eu", "exact")  # type: ignore[misc]
    assert isinstance(floating, Resolution)
    assert floating.path == ("provider mistralai", "prefix mistral", "alias mistral-large-2411")


# --- unknown: what is said ---------------------------------------------------------------------


def test_a_model_of_another_seller_is_suggested_there_first() -> None:
    got = RESOLVER.resolve("openai", "claude-sonnet-4-5", AS_OF)

    assert isinstance(got, Unknown)
    assert got.suggestions[0] == "anthropic/claude-sonnet-4-5"


def test_a_typo_is_answered_with_names_of_that_seller() -> None:
    got = RESOLVER.resolve("azure", "gpt-4o-2024-05-31", AS_OF)

    assert isinstance(got, Unknown)
    assert got.suggestions[0] == "azure/gpt-4o-2024-05-13"
    assert all(text.startswith("azure/") for text in got.suggestions)


def test_an_unknown_seller_is_said_to_be_so_with_the_sellers_of_the_model() -> None:
    got = RESOLVER.resolve("acme-cloud", "gpt-4o", AS_OF)
    near = RESOLVER.resolve("opanai", "gpt-4o", AS_OF)

    assert isinstance(got, Unknown)
    assert got.reason == "unknown provider"
    assert got.suggestions == ("azure/gpt-4o", "openai/gpt-4o")
    assert isinstance(near, Unknown)
    assert near.hint == "did you mean openai?"


@pytest.mark.parametrize("provider", ["a" * 101, "a" * 100_000])
def test_a_seller_of_many_letters_is_unknown(provider: str) -> None:
    got = RESOLVER.resolve(provider, "gpt-4o", AS_OF)

    assert isinstance(got, Unknown)
    assert got.reason == "unknown provider"
    assert RESOLVER.resolve(None, provider[:101] + "/gpt-4o", AS_OF)[0] == "unknown model"


@pytest.mark.parametrize("provider", ["", "  ", None])
def test_no_seller_is_no_seller(provider: str | None) -> None:
    got = RESOLVER.resolve(provider, "gpt-4o", AS_OF)

    assert isinstance(got, Resolution)
    assert got.provider == "openai"


def test_where_several_resellers_have_it_the_seller_is_asked_for() -> None:
    got = RESOLVER.resolve(None, "qwen/qwen3-32b", AS_OF)

    assert isinstance(got, Unknown)
    assert got.suggestions == ("groq/qwen/qwen3-32b", "openrouter/qwen/qwen3-32b")
    assert "send the provider" in got.hint


def test_a_cloud_comes_before_resellers() -> None:
    small = Resolver([("vertex", "nameless"), ("groq", "nameless"), ("together", "nameless")])
    got = small.resolve(None, "nameless", AS_OF)

    assert isinstance(got, Resolution)
    assert got.provider == "vertex"


# --- spelling ----------------------------------------------------------------------------------


def test_two_cards_that_are_spelt_alike_are_two_models() -> None:
    book = Resolver([("acme", "m-1.5"), ("acme", "m-1-5")])

    assert book.resolve("acme", "m-1.5", 0)[1] == "m-1.5"
    assert book.resolve("acme", "m-1-5", 0)[1] == "m-1-5"
    assert isinstance(book.resolve("acme", "m_1_5", 0), Unknown)


def test_two_cards_that_differ_in_letter_case_are_two_models() -> None:
    book = Resolver([("acme", "Mix"), ("acme", "mix")])

    assert book.resolve("acme", "Mix", 0)[1] == "Mix"
    assert book.resolve(" ACME", "mix", 0)[1] == "mix"
    assert isinstance(book.resolve("acme", "MIX", 0), Unknown)


def test_two_spellings_that_mean_one_card_are_no_choice() -> None:
    book = Resolver([("acme", "m-1.5")], [Alias("acme", "m-1-5", "acme", "m-1.5")])

    assert book.resolve("acme", "M_1_5", 0)[1] == "m-1.5"


def test_another_spelling_of_an_alias_of_nothing_is_unknown() -> None:
    book = Resolver([("acme", "m")], [Alias("acme", "m-1-5", "acme", "gone")])

    assert isinstance(book.resolve("acme", "m-1.5", 0), Unknown)


# --- aliases and the operator's map --------------------------------------------------------------


def test_aliases_are_followed_to_a_card_and_a_circle_ends() -> None:
    chain = [
        Alias("acme", "a", "acme", "b"),
        Alias("acme", "b", "acme", "a"),
        Alias("acme", "b", "Other", "c"),
    ]

    assert Resolver([("other", "C")], chain).resolve("acme", "A", 0)[:2] == ("other", "C")
    assert isinstance(Resolver([("other", "d")], chain).resolve("acme", "a", 0), Unknown)


def test_a_long_row_of_aliases_is_not_followed_for_ever() -> None:
    chain = [Alias("acme", str(n), "acme", str(n + 1)) for n in range(1000)]
    book = Resolver([("acme", "1000")], chain)

    assert isinstance(book.resolve("acme", "1", 0), Unknown)
    assert book.resolve("acme", "990", 0)[1] == "1000"


def test_the_alias_that_begins_last_counts_and_one_without_a_card_is_passed_over() -> None:
    aliases = [
        Alias("acme", "x", "acme", "old"),
        Alias("acme", "x", "acme", "new", 100),
        Alias("acme", "x", "acme", "gone", 200, 300),
    ]
    book = Resolver([("acme", "old"), ("acme", "new")], aliases)

    got = {at_us: book.resolve("acme", "x", at_us)[1] for at_us in (99, 100, 200, 300)}
    assert got == {99: "old", 100: "new", 200: "new", 300: "new"}


def test_an_alias_of_anyone_is_known_at_each_seller_but_does_not_choose_one() -> None:
    book = Resolver([("openai", "gpt-4o")], [Alias(None, "house-model", "openai", "gpt-4o")])

    assert book.resolve("azure", "house-model", 0)[:2] == ("openai", "gpt-4o")
    assert isinstance(book.resolve(None, "house-model", 0), Unknown)
    assert isinstance(book.resolve("azure", "house-model-2", 0), Unknown)


MAP = [
    Alias("azure", "My-Deployment", "azure", "gpt-4o-2024-08-06"),
    Alias("azure", "gpt-4o", "azure", "gpt-4o-2024-05-13", None, 1000),
    Alias(None, "house", "openai", "gpt-4o"),
    Alias(
        "bedrock",
        "arn:aws:bedrock:us-east-1:1:application-inference-profile/a1",
        "bedrock",
        "eu.amazon.nova-pro-v1:0",
    ),
    Alias("azure", "lost", "azure", "nowhere"),
    Alias("fireworks", "mine", "fireworks", "kimi-k2p5#accounts/a/deployments/1"),
    Alias("gateway", "fast", "groq", "llama-3.3-70b-versatile"),
]
MAPPED = Resolver(keys(BOOK), curated(), MAP)


@pytest.mark.parametrize(
    ("provider", "name", "card"),
    [
        ("azure", "my-deployment", "azure/gpt-4o-2024-08-06"),
        ("azure", "azure/my-deployment", "azure/gpt-4o-2024-08-06"),
        (None, "azure/My-Deployment", "azure/gpt-4o-2024-08-06"),
        ("azure", "house", "openai/gpt-4o"),
        (None, "House", "openai/gpt-4o"),
        ("gateway", "fast", "groq/llama-3.3-70b-versatile"),
        (None, "gateway/fast", "groq/llama-3.3-70b-versatile"),
    ],
)
def test_the_operators_map_names_what_only_the_operator_knows(
    provider: str | None, name: str, card: str
) -> None:
    got = MAPPED.resolve(provider, name, AS_OF)

    assert isinstance(got, Resolution), got
    assert f"{got.provider}/{got.model}" == card
    assert any(step.startswith("map ") for step in got.path)


def test_the_map_comes_before_the_exact_name_while_it_holds() -> None:
    assert MAPPED.resolve("azure", "gpt-4o", 999)[1] == "gpt-4o-2024-05-13"
    assert MAPPED.resolve("azure", "gpt-4o", 1000)[1] == "gpt-4o"


def test_a_mapped_arn_keeps_the_region_it_is_mapped_to() -> None:
    got = MAPPED.resolve("bedrock", MAP[3].name, AS_OF)

    assert got[:3] == ("bedrock", "amazon.nova-pro-v1:0", "eu")


@pytest.mark.parametrize(("provider", "name"), [("azure", "lost"), ("fireworks", "mine")])
def test_a_map_that_leads_nowhere_is_said_and_nothing_else_is_tried(
    provider: str, name: str
) -> None:
    got = MAPPED.resolve(provider, name, AS_OF)

    assert isinstance(got, Unknown)
    assert "mend the map" in got.hint


def test_what_another_seller_maps_is_not_mine() -> None:
    assert isinstance(MAPPED.resolve("openai", "my-deployment", AS_OF), Unknown)
    assert isinstance(MAPPED.resolve(None, "my-deployment", AS_OF), Unknown)


def test_an_opaque_name_says_what_would_help() -> None:
    got = RESOLVER.resolve("bedrock", MAP[3].name, AS_OF)

    assert isinstance(got, Unknown)
    assert "map it" in got.hint


@pytest.mark.parametrize(
    "name",
    [
        "bedrock/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcd1234",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcd1234",
        "openai/ft:gpt-4.1-2025-04-14:acme::x",
        "azure/eu/gpt-4o",
        "google/tunedModels/mine",
    ],
)
def test_a_card_of_exactly_this_name_is_found_though_the_grammar_reads_it_otherwise(
    name: str,
) -> None:
    seller, _, model = name.partition("/")
    key = ("bedrock", name) if seller.startswith("arn:") else (seller, model)

    got = Resolver([*keys(BOOK), key]).resolve(None, name, AS_OF)

    assert isinstance(got, Resolution)
    assert (got.provider, got.model) == key


def test_every_curated_alias_has_a_reason_and_sound_dates() -> None:
    for alias in curated():
        assert alias.name != alias.model
        assert alias.from_us is None or alias.to_us is None or alias.from_us < alias.to_us
    assert us_of(2024, 2, 26) in {alias.from_us for alias in curated()}


def us_of(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 1_000_000
