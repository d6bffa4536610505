"""One call: from what the client sent to what goes upstream, and how a failure is told."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.types import Receive, Send

from tekton_budget.domain.answer import Ended
from tekton_budget.domain.call import Api, sent_upstream
from tekton_budget.domain.providers import Family
from tekton_budget.frontends.gateway.callers import Admission
from tekton_budget.frontends.gateway.headers import to_upstream, without_keys
from tekton_budget.frontends.gateway.refusals import Refusal, tightest
from tekton_budget.frontends.gateway.routes import Route
from tekton_budget.frontends.gateway.upstream import (
    Headers,
    UpstreamAnswer,
    UpstreamAway,
    UpstreamRequest,
)
from tekton_budget.frontends.http.wire import usd
from tekton_budget.service.calls import Admitted

Body = dict[str, Any]  # Any: JSON
Sender = Callable[[UpstreamRequest], Awaitable[UpstreamAnswer]]
_CHATS = frozenset({Api.OPENAI_CHAT, Api.OPENAI_COMPLETIONS})
# As their documentation has it (read November 2026): both `max_completion_tokens` and the older
# `max_tokens`. Others, like DeepSeek and Ollama, pass the newer one over and answer at length.
_KNOW_BOTH_NAMES = frozenset(
    {"openai", "demo", "openrouter", "groq", "xai", "fireworks", "cerebras", "vllm"}
)
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Exchange:
    """What belongs together while a call is under way."""

    route: Route
    admission: Admission
    headers: list[tuple[bytes, bytes]]  # the client's
    query: bytes
    raw: bytes  # the client's body, as it came
    body: Body  # the same, read once
    receive: Receive
    send: Send

    def request(self, admitted: Admitted) -> UpstreamRequest:
        """What goes upstream: what was judged, written anew.

        The client's own bytes may say a field twice, and a provider take the other one.
        """
        call = admitted.call
        changed = sent_upstream(
            call.need,
            self.body,
            max_output=admitted.max_output if admitted.says_output else None,
            note=call.note if admitted.landing else None,
            usage=call.need.stream,
            model=admitted.model if admitted.is_swapped else None,
            output_field=_output_field(self.route),
        )
        path = self.route.path
        if admitted.is_swapped and self.route.model is not None:
            path = path.replace(f"/{self.route.model}", f"/{admitted.model}", 1)
        return self.upstream_request("POST", path, _encode(changed))

    def upstream_request(self, method: str, path: str, body: bytes) -> UpstreamRequest:
        """A request to the provider under the client's headers and the right key."""
        credential, ours = self.admission.credential, self.admission.ours
        query = without_keys(self.query, ours if credential is None else None)
        if not path.isascii():
            path = quote(path, safe="/:@!$&'()*+,=~")
        url = self.route.provider.url + path
        if query:
            url += "?" + query.decode("latin-1")
        return UpstreamRequest(method, url, to_upstream(self.headers, credential, ours), body)


def _output_field(route: Route) -> str | None:
    """How the provider calls the maximum, where it may not know the newer name."""
    provider = route.provider
    if provider.family is not Family.OPENAI or provider.name in _KNOW_BOTH_NAMES:
        return None
    return "max_tokens" if route.api in _CHATS else None


def away(error: UpstreamAway, route: Route) -> Refusal:
    """The provider is not there, or went away."""
    name = route.provider.name
    if not error.sent:
        return Refusal(
            502,
            "upstream_away",
            f"The provider {name} could not be reached ({error}). Nothing was charged. Its address "
            f"is set by BUDGET_UPSTREAM_{name.upper()}.",
        )
    return Refusal(
        502,
        "upstream_broke_off",
        f"The provider {name} broke off ({error}); what it may bill was charged as an estimate.",
    )


def granted_headers(admitted: Admitted) -> Headers:
    """What is known of a call when it goes upstream."""
    found: Headers = [(b"x-budget-allocation", admitted.grant.allocation_id.encode())]
    if admitted.clamped_from is not None and admitted.max_output is not None:
        found.append(
            (b"x-budget-clamped", b"%d of %d" % (admitted.max_output, admitted.clamped_from))
        )
    if admitted.is_swapped:
        found.append((b"x-budget-model", admitted.model.encode("latin-1", "replace")))
    if admitted.landing or admitted.grant.landing:
        found.append((b"x-budget-state", b"landing"))
    return found


def left_headers(admitted: Admitted, ended: Ended | None) -> Headers:
    """What the call cost and what is left, once it is settled."""
    if ended is None:
        return tightest(admitted.grant.policies)
    found: Headers = []
    cost = usd(ended.cost_nano)
    if cost is not None:
        found.append((b"x-budget-cost-usd", bytes(cost)))
    return found + tightest(ended.policies)


def context_of(body: Mapping[str, Any]) -> dict[str, object]:  # Any: JSON
    """What of the price hangs on the request and may not be in the answer."""
    found: dict[str, object] = {}
    tier = body.get("service_tier")
    if isinstance(tier, str):
        found["service_tier"] = tier
    options = body.get("web_search_options")
    if isinstance(options, dict):
        size = options.get("search_context_size")
        if isinstance(size, str):
            found["search_context_size"] = size
    if body.get("speed") == "fast":
        found["speed"] = "fast"
    return found
