"""One call by each official SDK, whole and streamed, sync and async; each gives what was said."""

from typing import Any

import anthropic
import openai
from google import genai

HELLO: Any = [{"role": "user", "content": "hello"}]
CHAT: Any = {"model": "gpt-4o", "messages": HELLO, "max_completion_tokens": 50}
MESSAGE: Any = {"model": "claude-sonnet-5", "messages": HELLO, "max_tokens": 50}
CONTENT: Any = {
    "model": "gemini-2.5-flash",
    "contents": "hello",
    "config": {"max_output_tokens": 50, "thinking_config": {"thinking_budget": 0}},
}
KEY = "sk-theirs"


def openai_client(budget: Any, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(api_key=KEY, max_retries=0, http_client=budget.http_client(**options))


def anthropic_client(budget: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=KEY, max_retries=0, http_client=budget.http_client())


def gemini_client(budget: Any) -> genai.Client:
    return genai.Client(api_key=KEY, http_options={"httpx_client": budget.http_client()})


def openai_whole(budget: Any) -> str:
    return openai_client(budget).chat.completions.create(**CHAT).choices[0].message.content or ""


def openai_streamed(budget: Any) -> str:
    chunks = openai_client(budget).chat.completions.create(**CHAT, stream=True)
    return "".join(one.choices[0].delta.content or "" for one in chunks if one.choices)


def openai_responses(budget: Any) -> str:
    client = openai_client(budget)
    return client.responses.create(model="gpt-4o", input="hello", max_output_tokens=50).output_text


def anthropic_whole(budget: Any) -> str:
    return "".join(one.text for one in anthropic_client(budget).messages.create(**MESSAGE).content)


def anthropic_streamed(budget: Any) -> str:
    with anthropic_client(budget).messages.stream(**MESSAGE) as stream:
        return "".join(stream.text_stream)


def gemini_whole(budget: Any) -> str:
    return gemini_client(budget).models.generate_content(**CONTENT).text or ""


def gemini_streamed(budget: Any) -> str:
    parts = gemini_client(budget).models.generate_content_stream(**CONTENT)
    return "".join(one.text or "" for one in parts)


async def async_openai_whole(budget: Any) -> str:
    client = openai.AsyncOpenAI(api_key=KEY, max_retries=0, http_client=budget.http_client())
    answer = await client.chat.completions.create(**CHAT)
    return answer.choices[0].message.content or ""


async def async_openai_streamed(budget: Any) -> str:
    client = openai.AsyncOpenAI(api_key=KEY, max_retries=0, http_client=budget.http_client())
    chunks = await client.chat.completions.create(**CHAT, stream=True)
    return "".join([one.choices[0].delta.content or "" async for one in chunks if one.choices])


async def async_anthropic_whole(budget: Any) -> str:
    http = budget.http_client()
    client = anthropic.AsyncAnthropic(api_key=KEY, max_retries=0, http_client=http)
    return "".join(one.text for one in (await client.messages.create(**MESSAGE)).content)


async def async_anthropic_streamed(budget: Any) -> str:
    http = budget.http_client()
    client = anthropic.AsyncAnthropic(api_key=KEY, max_retries=0, http_client=http)
    async with client.messages.stream(**MESSAGE) as stream:
        return "".join([text async for text in stream.text_stream])


async def async_gemini_whole(budget: Any) -> str:
    http = budget.http_client()
    client = genai.Client(api_key=KEY, http_options={"httpx_async_client": http})
    return (await client.aio.models.generate_content(**CONTENT)).text or ""


async def async_gemini_streamed(budget: Any) -> str:
    http = budget.http_client()
    client = genai.Client(api_key=KEY, http_options={"httpx_async_client": http})
    parts = await client.aio.models.generate_content_stream(**CONTENT)
    return "".join([one.text or "" async for one in parts])


SYNC = (
    openai_whole,
    openai_streamed,
    openai_responses,
    anthropic_whole,
    anthropic_streamed,
    gemini_whole,
    gemini_streamed,
)
ASYNC = (
    async_openai_whole,
    async_openai_streamed,
    async_anthropic_whole,
    async_anthropic_streamed,
    async_gemini_whole,
    async_gemini_streamed,
)
