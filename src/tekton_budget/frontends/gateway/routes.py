"""Paths: which provider and which of its calls a request is for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tekton_budget.domain.call import Api
from tekton_budget.domain.errors import InvalidInput, NotFound
from tekton_budget.domain.providers import DEMO, Family, Provider


class Treatment(StrEnum):
    """What is done with a request."""

    METERED = "metered"
    FREE = "free"  # costs nothing at the provider: passed on as it is
    UNMETERED = "unmetered"  # may cost, and we cannot tell how much


@dataclass(frozen=True, slots=True)
class Route:
    """One request's way: the provider, what is left of the path for it, and how it is treated."""

    provider: Provider
    path: str  # what follows the provider's address, query excluded
    treatment: Treatment
    template: str  # for metrics: few names
    api: Api | None = None
    model: str | None = None  # where the path names it
    stream: bool | None = None  # where the path says it
    run: str | None = None  # the token of a run, never logged


_BASES = ("/gateway/", "/r/")
_RUN = re.compile(r"/(?:gateway/)?r/([^/]+)(?:/|$)")
_OPENAI_CALLS = {
    "/chat/completions": Api.OPENAI_CHAT,
    "/responses": Api.OPENAI_RESPONSES,
    "/completions": Api.OPENAI_COMPLETIONS,
    "/embeddings": Api.OPENAI_EMBEDDINGS,
}
_OPENAI_FREE = re.compile(r"/models(/.+)?|/responses/[\w-]+(/input_items)?")
_OPENAI_ENDS = {
    "POST": re.compile(r"/responses/[\w-]+/cancel"),
    "DELETE": re.compile(r"/responses/[\w-]+"),
}
_GEMINI_CALL = re.compile(r"/(v1(?:beta|alpha)?)/((?:models|tunedModels)/[^/:]+):([A-Za-z]+)")
_GEMINI_METHODS = {
    "generateContent": (Api.GEMINI_GENERATE, False),
    "streamGenerateContent": (Api.GEMINI_GENERATE, True),
    "embedContent": (Api.GEMINI_EMBED, False),
    "batchEmbedContents": (Api.GEMINI_EMBED, False),
}
_GEMINI_FREE = re.compile(r"/v1(?:beta|alpha)?/models(/[^:]+)?")
# What another server might read as another path: we judge what it will serve.
_CROOKED = re.compile(r"//|(?:^|/)\.{1,2}(?:/|$)|[\x00-\x20?#%\\;\x7f]")
_AZURE_CALL = re.compile(r"/openai/deployments/([^/]+)(/.+)")


class Routes:
    """The paths of the gateway over the providers that are set up."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers

    @staticmethod
    def concerns(path: str) -> bool:
        """Whether a path is the gateway's."""
        return path.startswith(_BASES)

    def find(self, method: str, path: str) -> Route:
        """The way of a request; 404 where there is no such provider."""
        run, rest = _without_run(path)
        if _CROOKED.search(rest):
            raise InvalidInput(
                f"{hidden(path)!r} is no plain path: send one without empty or dotted parts, "
                "and without characters that a provider might read otherwise.",
                code="path_invalid",
            )
        name, slash, tail = rest.partition("/")
        provider = self._providers.get(name.lower())
        if provider is None or not provider.url:
            raise _unknown(name, self._providers, known=provider is not None)
        find = _demo if provider is DEMO else _FINDERS[provider.family]
        found = find(provider, method, slash + tail)
        return found if run is None else _of_run(found, run)


def _without_run(path: str) -> tuple[str | None, str]:
    """`/gateway/r/TOKEN/openai/…`, `/r/TOKEN/openai/…` or `/gateway/openai/…`."""
    found = _RUN.match(path)
    if found is not None:
        return found[1], path[found.end() :]
    return None, path[len("/gateway/") :] if path.startswith("/gateway/") else path[1:]


def hidden(path: str) -> str:
    """A path as it may be logged: without the token of a run."""
    found = _RUN.match(path)
    if found is None:
        return path
    return f"{path[: found.start(1)]}…{path[found.end(1) :]}"


def _of_run(route: Route, run: str) -> Route:
    return Route(
        route.provider,
        route.path,
        route.treatment,
        route.template,
        route.api,
        route.model,
        route.stream,
        run,
    )


def _openai(provider: Provider, method: str, path: str) -> Route:
    """The paths of OpenAI's API; a leading version belongs to the address that is set up."""
    own = re.sub(r"^/v\d+(?=/)", "", path)
    template = f"/gateway/{provider.name}"
    api = _OPENAI_CALLS.get(own) if method == "POST" else None
    if api is not None:
        return Route(provider, own, Treatment.METERED, template + own, api)
    counts = own == "/responses/input_tokens" and method == "POST"
    if counts or (method == "GET" and _OPENAI_FREE.fullmatch(own)):
        free = "/models" if own.startswith("/models") else "/responses/…"
        return Route(provider, own, Treatment.FREE, template + free)
    if method in _OPENAI_ENDS and _OPENAI_ENDS[method].fullmatch(own):
        return Route(provider, own, Treatment.FREE, f"{template}/responses/…")
    return Route(provider, own, Treatment.UNMETERED, f"{template}/…")


def _anthropic(provider: Provider, method: str, path: str) -> Route:
    template = f"/gateway/{provider.name}"
    if path.startswith(("/messages", "/models")):  # some clients leave the version out
        path = f"/v1{path}"
    if method == "POST" and path == "/v1/messages":
        return Route(provider, path, Treatment.METERED, template + path, Api.ANTHROPIC_MESSAGES)
    if method == "POST" and path == "/v1/messages/count_tokens":
        return Route(provider, path, Treatment.FREE, template + path)
    if method in ("GET", "HEAD") and re.fullmatch(r"/v1/models(/.+)?|/?|/v1/?", path):
        return Route(provider, path, Treatment.FREE, f"{template}/v1/models")
    return Route(provider, path, Treatment.UNMETERED, f"{template}/…")


def _demo(provider: Provider, method: str, path: str) -> Route:
    """The built-in provider speaks both APIs below one address."""
    if re.match(r"/v\d+/messages(/|$)", path):
        return _anthropic(provider, method, path)
    return _openai(provider, method, path)


def _gemini(provider: Provider, method: str, path: str) -> Route:
    template = f"/gateway/{provider.name}"
    found = _GEMINI_CALL.fullmatch(path)
    if found is not None and method == "POST":
        _, model, verb = found.groups()
        if verb == "countTokens":
            return Route(provider, path, Treatment.FREE, f"{template}/:countTokens")
        if verb in _GEMINI_METHODS:
            api, stream = _GEMINI_METHODS[verb]
            named = model.partition("/")[2]
            return Route(
                provider, path, Treatment.METERED, f"{template}/:{verb}", api, named, stream
            )
    if method == "GET" and _GEMINI_FREE.fullmatch(path):
        return Route(provider, path, Treatment.FREE, f"{template}/models")
    return Route(provider, path, Treatment.UNMETERED, f"{template}/…")


def _azure(provider: Provider, method: str, path: str) -> Route:
    """Azure names a deployment in the path, or speaks OpenAI's newer API below `/openai/v1`."""
    template = f"/gateway/{provider.name}"
    found = _AZURE_CALL.fullmatch(path)
    if found is not None:
        api = _OPENAI_CALLS.get(found[2]) if method == "POST" else None
        if api is not None:
            model = found[1]
            return Route(provider, path, Treatment.METERED, template + found[2], api, model)
        return Route(provider, path, Treatment.UNMETERED, f"{template}/…")
    inner = _openai(provider, method, path.removeprefix("/openai"))
    return Route(provider, path, inner.treatment, inner.template, inner.api)


_FINDERS = {
    Family.OPENAI: _openai,
    Family.ANTHROPIC: _anthropic,
    Family.GEMINI: _gemini,
    Family.AZURE: _azure,
}


def _unknown(name: str, providers: Mapping[str, Provider], *, known: bool) -> NotFound:
    variable = f"BUDGET_UPSTREAM_{(name or 'NAME').upper()}"
    if known:
        return NotFound(
            f"The provider {name!r} has no address yet: set {variable}=https://…",
            code="provider_not_set_up",
        )
    names = ", ".join(sorted(one.name for one in providers.values() if one.url))
    return NotFound(
        f"There is no provider {name!r} here. Set it up by {variable}=https://…/v1, or call one of "
        f"{names}.",
        code="provider_unknown",
    )
