"""Lists of models, in the words of each API."""

from tests.providers import anthropic_messages, gemini, openai_chat
from tests.providers.wire import Json, Refused, Request, World

MODELS = {
    "openai": ("gpt-4o", "gpt-4o-mini", "gpt-5.4", "gpt-5.4-mini", "text-embedding-3-small"),
    "anthropic": ("claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001"),
    "gemini": ("gemini-2.5-flash", "gemini-2.5-pro"),
}


def answer(request: Request, world: World) -> Json:
    if request.method != "GET":
        raise Refused(404, f"Invalid URL ({request.method} {request.path})")
    if request.path == "/v1beta/models" or _is_google(request):
        return {"models": [_gemini(it, world) for it in MODELS["gemini"]]}
    if request.path == "/v1/models":
        if "anthropic-version" in request.headers:
            items = [_anthropic(it) for it in MODELS["anthropic"]]
            return {
                "data": items,
                "has_more": False,
                "first_id": items[0]["id"],
                "last_id": items[-1]["id"],
            }
        return {"object": "list", "data": [_openai(it) for it in MODELS["openai"]]}
    raise Refused(404, f"Invalid URL (GET {request.path})")


def refusal(request: Request, refused: Refused) -> Json:
    if request.path.startswith("/v1beta") or _is_google(request):
        return gemini.refusal(refused)
    if "anthropic-version" in request.headers:
        return anthropic_messages.refusal(refused)
    return openai_chat.refusal(refused)


def _is_google(request: Request) -> bool:
    return request.path == "/v1/models" and "x-goog-api-key" in request.headers


def _openai(model: str) -> Json:
    return {"id": model, "object": "model", "created": 1715367049, "owned_by": "system"}


def _anthropic(model: str) -> Json:
    return {
        "type": "model",
        "id": model,
        "display_name": model,
        "created_at": "2025-09-29T00:00:00Z",
    }


def _gemini(model: str, world: World) -> Json:
    return {
        "name": f"models/{model}",
        "version": "001",
        "displayName": model,
        "inputTokenLimit": world.limits.context,
        "outputTokenLimit": world.limits.ceiling(model),
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }
