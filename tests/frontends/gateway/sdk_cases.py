"""What people do with the official clients: each case does it, and hands back all that it was told."""

import base64
import struct
import zlib
from collections.abc import Callable
from typing import Any

from google.genai import types
from pydantic import BaseModel
from tests.frontends.gateway.sdks import AsyncSdks, Sdks, camel_to_snake
from tests.providers.recorded import Recording
from tests.providers.scenario import Scenario

HELLO: Any = [{"role": "user", "content": "Hello there"}]
LONG = "All of this was said before, and more than once. " * 200
CHAT: dict[str, Any] = {"model": "gpt-4o"}
# What is sent upstream always has a maximum, which this API tells again in its answers.
RESPONSES: dict[str, Any] = {"model": "gpt-5.4", "max_output_tokens": 900}
CLAUDE: dict[str, Any] = {"model": "claude-sonnet-5", "max_tokens": 2000}
GEMINI = "gemini-2.5-flash"
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}}
CHAT_TOOL: Any = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
RESPONSES_TOOL: Any = {"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}
CLAUDE_TOOL: Any = {"name": "f", "input_schema": SCHEMA}


class Weather(BaseModel):
    """A form to be filled."""

    city: str
    degrees: int


ANSWER = '{"city": "Zürich", "degrees": 21}'


def _png() -> bytes:
    """Of 600 by 400 pixels."""
    head = struct.pack(">IIBBBBB", 600, 400, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


PNG = _png()
PICTURE = base64.b64encode(PNG).decode()
PICTURE_URL = f"data:image/png;base64,{PICTURE}"

Case = tuple[Scenario, Callable[[Sdks], Any]]  # Any: whatever an SDK answers
CASES: dict[str, Case] = {}
AsyncCase = tuple[Scenario, Callable[[AsyncSdks], Any]]
ASYNC_CASES: dict[str, AsyncCase] = {}


def case(**scenario: Any) -> Callable[[Callable[[Sdks], Any]], Callable[[Sdks], Any]]:
    def keep(made: Callable[[Sdks], Any]) -> Callable[[Sdks], Any]:
        CASES[made.__name__.strip("_")] = Scenario(**scenario), made
        return made

    return keep


def async_case(
    **scenario: Any,
) -> Callable[[Callable[[AsyncSdks], Any]], Callable[[AsyncSdks], Any]]:
    def keep(made: Callable[[AsyncSdks], Any]) -> Callable[[AsyncSdks], Any]:
        ASYNC_CASES[made.__name__.strip("_")] = Scenario(**scenario), made
        return made

    return keep


# OpenAI -------------------------------------------------------------------------------------------


@case()
def _chat(to: Sdks) -> Any:
    return to.openai.chat.completions.create(**CHAT, messages=HELLO)


@case()
def _chat_stream(to: Sdks) -> Any:
    return list(to.openai.chat.completions.create(**CHAT, messages=HELLO, stream=True))


@case(tools=2)
def _chat_stream_with_usage_and_tools(to: Sdks) -> Any:
    with to.openai.chat.completions.stream(
        **CHAT, messages=HELLO, tools=[CHAT_TOOL], stream_options={"include_usage": True}
    ) as stream:
        events = list(stream)
        return events, stream.get_final_completion()


@case(text=ANSWER)
def _chat_parsed(to: Sdks) -> Any:
    found = to.openai.chat.completions.parse(**CHAT, messages=HELLO, response_format=Weather)
    assert found.choices[0].message.parsed == Weather(city="Zürich", degrees=21)
    return found


@case(text=ANSWER)
def _chat_in_json_mode(to: Sdks) -> Any:
    return to.openai.chat.completions.create(
        **CHAT, messages=HELLO, response_format={"type": "json_object"}, n=2, max_tokens=50
    )


@case()
def _chat_of_a_picture(to: Sdks) -> Any:
    picture: Any = {"type": "image_url", "image_url": {"url": PICTURE_URL}}
    said: Any = [{"role": "user", "content": [{"type": "text", "text": "What?"}, picture]}]
    return to.openai.chat.completions.create(**CHAT, messages=said)


@case(reasoning=30)
def _chat_reasoning(to: Sdks) -> Any:
    return to.openai.chat.completions.create(
        model="gpt-5.4", messages=HELLO, reasoning_effort="low", max_completion_tokens=100
    )


@case()
def _chat_cached(to: Sdks) -> Any:
    said: Any = [{"role": "system", "content": LONG}, *HELLO]
    found = [to.openai.chat.completions.create(**CHAT, messages=said) for _ in range(2)]
    usage = found[1].usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert (usage.prompt_tokens_details.cached_tokens or 0) > 1000
    return found


@case(tools=2, reasoning=20)
def _responses_stream(to: Sdks) -> Any:
    with to.openai.responses.stream(**RESPONSES, input="Hello", tools=[RESPONSES_TOOL]) as stream:
        events = list(stream)
        return events, stream.get_final_response()


@case(text=ANSWER)
def _responses_parsed(to: Sdks) -> Any:
    found = to.openai.responses.parse(**RESPONSES, input="Hello", text_format=Weather)
    assert found.output_parsed == Weather(city="Zürich", degrees=21)
    return found


@case()
def _responses_of_a_picture(to: Sdks) -> Any:
    picture: Any = {"type": "input_image", "image_url": PICTURE_URL, "detail": "high"}
    said: Any = [{"role": "user", "content": [{"type": "input_text", "text": "?"}, picture]}]
    return to.openai.responses.create(**RESPONSES, input=said)


@case()
def _responses_that_go_on(to: Sdks) -> Any:
    first = to.openai.responses.create(**RESPONSES, input="Hello")
    return to.openai.responses.create(**RESPONSES, input="And?", previous_response_id=first.id)


@case()
def _completions(to: Sdks) -> Any:
    model, prompt = "gpt-3.5-turbo-instruct", "Once"
    whole = to.openai.completions.create(model=model, prompt=prompt, max_tokens=10)
    return whole, list(to.openai.completions.create(model=model, prompt=prompt, stream=True))


@case()
def _embeddings(to: Sdks) -> Any:
    return to.openai.embeddings.create(model="text-embedding-3-small", input=["one", "two words"])


# Anthropic ----------------------------------------------------------------------------------------


@case()
def _messages(to: Sdks) -> Any:
    return to.anthropic.messages.create(**CLAUDE, messages=HELLO, system="Be brief.")


@case(reasoning=40, tools=2, ping_every=5)
def _messages_stream_thinking_with_tools(to: Sdks) -> Any:
    with to.anthropic.messages.stream(
        **CLAUDE,
        messages=HELLO,
        tools=[CLAUDE_TOOL],
        thinking={"type": "enabled", "budget_tokens": 1024},
    ) as stream:
        events = list(stream)
        return events, stream.get_final_message()


@case()
def _messages_raw_stream(to: Sdks) -> Any:
    return list(to.anthropic.messages.create(**CLAUDE, messages=HELLO, stream=True))


@case(text=ANSWER)
def _messages_parsed(to: Sdks) -> Any:
    found = to.anthropic.messages.parse(**CLAUDE, messages=HELLO, output_format=Weather)
    assert found.parsed_output == Weather(city="Zürich", degrees=21)
    return found


@case()
def _messages_of_a_picture(to: Sdks) -> Any:
    source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
    said: Any = [{"role": "user", "content": [{"type": "image", "source": source}]}]
    return to.anthropic.messages.create(**CLAUDE, messages=said)


@case()
def _messages_cached(to: Sdks) -> Any:
    keep: Any = {"type": "ephemeral", "ttl": "1h"}
    system: Any = [{"type": "text", "text": LONG, "cache_control": keep}]
    found = [
        to.anthropic.messages.create(**CLAUDE, messages=HELLO, system=system) for _ in range(2)
    ]
    assert (found[0].usage.cache_creation_input_tokens or 0) > 1000
    assert (found[1].usage.cache_read_input_tokens or 0) > 1000
    return found


@case()
def _count_tokens(to: Sdks) -> Any:
    claude = to.anthropic.messages.count_tokens(model=CLAUDE["model"], messages=HELLO)
    openai = to.openai.responses.input_tokens.count(model="gpt-5.4", input="Hello")
    google = to.google.models.count_tokens(model=GEMINI, contents="Hello")
    return claude, openai, google


# Google -------------------------------------------------------------------------------------------


@case(reasoning=25)
def _generate(to: Sdks) -> Any:
    config = types.GenerateContentConfig(
        system_instruction="Be brief.",
        max_output_tokens=500,
        thinking_config=types.ThinkingConfig(thinking_budget=300, include_thoughts=True),
    )
    return to.google.models.generate_content(model=GEMINI, contents="Hello", config=config)


@case(tools=2)
def _generate_stream_with_tools(to: Sdks) -> Any:
    declared = types.Tool(function_declarations=[types.FunctionDeclaration(name="f")])
    config = types.GenerateContentConfig(
        tools=[declared], automatic_function_calling={"disable": True}
    )
    return list(to.google.models.generate_content_stream(model=GEMINI, contents="x", config=config))


@case(text=ANSWER)
def _generate_parsed(to: Sdks) -> Any:
    config = types.GenerateContentConfig(
        response_mime_type="application/json", response_schema=Weather, candidate_count=1
    )
    found = to.google.models.generate_content(model=GEMINI, contents="x", config=config)
    assert found.parsed == Weather(city="Zürich", degrees=21)
    return found


@case()
def _generate_of_a_picture(to: Sdks) -> Any:
    picture = types.Part.from_bytes(data=PNG, mime_type="image/png")
    return to.google.models.generate_content(model=GEMINI, contents=["What?", picture])


@case()
def _generate_cached(to: Sdks) -> Any:
    found = [to.google.models.generate_content(model=GEMINI, contents=LONG) for _ in range(2)]
    usage = found[1].usage_metadata
    assert usage is not None
    assert (usage.cached_content_token_count or 0) > 1000
    return found


@case()
def _chat_of_google(to: Sdks) -> Any:
    chat = to.google.chats.create(model=GEMINI)
    return chat.send_message("Hello"), list(chat.send_message_stream("And?"))


@case()
def _embed(to: Sdks) -> Any:
    return to.google.models.embed_content(model="gemini-embedding-001", contents=["one", "two"])


@case()
def _lists_of_models(to: Sdks) -> Any:
    return (
        list(to.openai.models.list()),
        list(to.anthropic.models.list()),
        list(to.google.models.list(config={"query_base": True})),
    )


# The asynchronous clients -------------------------------------------------------------------------


@async_case(tools=1)
async def _a_chat(to: AsyncSdks) -> Any:
    create = to.openai.chat.completions.create
    whole = await create(**CHAT, messages=HELLO, tools=[CHAT_TOOL])
    return whole, [it async for it in await create(**CHAT, messages=HELLO, stream=True)]


@async_case(reasoning=20)
async def _a_response(to: AsyncSdks) -> Any:
    async with to.openai.responses.stream(**RESPONSES, input="Hello") as stream:
        events = [event async for event in stream]
        return events, await stream.get_final_response()


@async_case(tools=2)
async def _a_message(to: AsyncSdks) -> Any:
    whole = await to.anthropic.messages.create(**CLAUDE, messages=HELLO)
    async with to.anthropic.messages.stream(
        **CLAUDE, messages=HELLO, tools=[CLAUDE_TOOL]
    ) as stream:
        return whole, [event async for event in stream], await stream.get_final_message()


@async_case(reasoning=5)
async def _a_generation(to: AsyncSdks) -> Any:
    models = to.google.models
    whole = await models.generate_content(model=GEMINI, contents="Hello")
    stream = await models.generate_content_stream(model=GEMINI, contents="Hello")
    return whole, [chunk async for chunk in stream]


@async_case()
async def _a_count_and_an_embedding(to: AsyncSdks) -> Any:
    model = "text-embedding-3-small"
    counted = await to.anthropic.messages.count_tokens(model=CLAUDE["model"], messages=HELLO)
    listed = [it async for it in to.openai.models.list()]
    return counted, listed, await to.openai.embeddings.create(model=model, input="one")


# Recorded answers ---------------------------------------------------------------------------------


def played(to: Sdks, told: Recording) -> Any:
    """A recorded request sent by the client of its API."""
    sent: Any = told.request
    if told.api == "openai.chat":
        answer: Any = to.openai.chat.completions.create(**sent)
    elif told.api == "openai.responses":
        answer = to.openai.responses.create(**sent)
    elif told.api == "anthropic.messages":
        answer = to.anthropic.messages.create(**sent)
    else:
        return _generated(to, told)
    return list(answer) if told.frames else answer


def _generated(to: Sdks, told: Recording) -> Any:
    config: Any = {camel_to_snake(n): v for n, v in told.request["generationConfig"].items()}
    for name in ("systemInstruction", "tools"):
        if name in told.request:
            config[camel_to_snake(name)] = told.request[name]
    asked: Any = {
        "model": told.model,
        "contents": told.request["contents"],
        "config": types.GenerateContentConfig.model_validate(config),
    }
    if told.frames:
        return list(to.google.models.generate_content_stream(**asked))
    return to.google.models.generate_content(**asked)
