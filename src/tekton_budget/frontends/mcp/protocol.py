"""The protocol's server, by its official SDK: tools, resources, subscriptions and the prompt.

Both eras are served: sessions that begin with a handshake (up to 2025-11-25), and requests that
stand alone (2026-07-28). Whose desk a request is at is asked of the way it came in.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import mcp_types as types
import structlog
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.shared.exceptions import MCPError

from tekton_budget.domain.errors import BudgetError, NotFound
from tekton_budget.frontends.http.wire import encode
from tekton_budget.frontends.mcp import prompts, resources, tools
from tekton_budget.frontends.mcp.desk import Answer, Desk, told
from tekton_budget.frontends.mcp.watching import Watch
from tekton_budget.frontends.mcp.words import plain

log = structlog.get_logger(__name__)

Context = ServerRequestContext[Any, Any]  # Any: nothing lasts as long as the server, by this way
DeskOf = Callable[[Context], Desk]

NAME, TITLE = "tekton-budget", "Tekton Budget"
LISTENING_MAX = 1000
RESOURCE_NOT_FOUND = -32002
INSTRUCTIONS = """\
Your calls of models cost money and are held to budgets. Before long work: budget_status, then \
plan. Before a call that you make yourself: allocate, afterwards settle. For sub-agents: delegate. \
Every tool works without arguments; whose calls they are is known. Money is in USD, prices are per \
1,000,000 tokens. When a call is refused, the text says what would fit: do that."""
_WATCH = "tekton_budget.watch"


class Protocol:
    """One server of the protocol; a process has one for HTTP, or one for its standard streams."""

    def __init__(self, desk_of: DeskOf, *, has_sessions: bool) -> None:
        self._desk_of = desk_of
        self._listening: set[ListenHandler] = set()
        subscribing: dict[str, Any] = {}  # Any: handlers, as the SDK types them
        if has_sessions:
            subscribing["on_subscribe_resource"] = self._subscribe
            subscribing["on_unsubscribe_resource"] = self._unsubscribe
        self.server: Server[Any] = Server(
            NAME,
            version=version("tekton-budget"),
            title=TITLE,
            instructions=INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_templates,
            on_read_resource=self._read_resource,
            on_subscriptions_listen=self._listen,
            on_list_prompts=self._list_prompts,
            on_get_prompt=self._get_prompt,
            **subscribing,
        )

    def end_listening(self) -> None:
        """Let every stream of subscriptions end in order."""
        for one in list(self._listening):
            one.close()

    # Tools --------------------------------------------------------------------------------------

    async def _list_tools(
        self, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        del params
        return types.ListToolsResult(tools=tools_shown(tools.tools_of(self._desk_of(ctx))))

    async def _call_tool(
        self, ctx: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        try:
            answer = await tools.called(self._desk_of(ctx), params.name, params.arguments or {})
        except NotFound as error:
            if error.code == "tool_not_found":
                raise MCPError(types.INVALID_PARAMS, error.detail) from error
            return _result(told(error), is_error=True)
        except BudgetError as error:
            return _result(told(error), is_error=True)
        except Exception:
            log.exception("tool_failed", tool=params.name)
            return _result(_FAULT, is_error=True)
        return _result(answer)

    # Resources ----------------------------------------------------------------------------------

    async def _list_resources(
        self, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        cursor = None if params is None else params.cursor
        try:
            found, further = await resources.listed(self._desk_of(ctx), cursor)
        except BudgetError as error:
            raise MCPError(types.INVALID_PARAMS, error.detail) from error
        shown = [
            types.Resource(uri=uri, name=name, description=says, mime_type=_JSON)
            for uri, name, says in found
        ]
        return types.ListResourcesResult(resources=shown, next_cursor=further)

    async def _list_templates(
        self, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        del ctx, params
        shown = [
            types.ResourceTemplate(
                uri_template=one.pattern, name=one.name, description=one.says, mime_type=_JSON
            )
            for one in resources.TEMPLATES
        ]
        return types.ListResourceTemplatesResult(resource_templates=shown)

    async def _read_resource(
        self, ctx: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        try:
            text = await resources.text_of(self._desk_of(ctx), params.uri)
        except BudgetError as error:
            raise _refused(error, params.uri) from error
        contents = types.TextResourceContents(uri=params.uri, mime_type=_JSON, text=text)
        return types.ReadResourceResult(contents=[contents])

    # Subscriptions ------------------------------------------------------------------------------

    async def _subscribe(
        self, ctx: Context, params: types.SubscribeRequestParams
    ) -> types.EmptyResult:
        """Of a session: what changes is told on its own stream until it ends."""
        connection = ctx.session._connection  # noqa: SLF001  (nothing public lasts as a session does)
        watch = connection.state.get(_WATCH)
        if watch is None:
            watch = Watch(self._desk_of(ctx), connection.send_resource_updated)
            connection.state[_WATCH] = watch
            connection.exit_stack.callback(watch.close)
        try:
            await watch.add([params.uri])
        except BudgetError as error:
            raise _refused(error, params.uri) from error
        return types.EmptyResult()

    async def _unsubscribe(
        self, ctx: Context, params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        watch = ctx.session._connection.state.get(_WATCH)  # noqa: SLF001  (as above)
        if watch is not None:
            watch.drop(params.uri)
        return types.EmptyResult()

    async def _listen(
        self, ctx: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Of a request that stands alone: its answer is the stream."""
        if len(self._listening) >= LISTENING_MAX:
            raise MCPError(types.INTERNAL_ERROR, "Too many streams are open: come back later.")
        bus = InMemorySubscriptionBus()
        handler = ListenHandler(bus)

        async def tell(uri: str) -> None:
            await bus.publish(ResourceUpdated(uri))

        watch = Watch(self._desk_of(ctx), tell, handler.close)
        wanted = params.notifications.resource_subscriptions or ()
        try:
            await watch.add(wanted)
        except BudgetError as error:
            raise _refused(error, ", ".join(wanted)) from error
        self._listening.add(handler)
        try:
            return await handler(ctx, params)
        finally:
            self._listening.discard(handler)
            watch.close()

    # Prompt -------------------------------------------------------------------------------------

    async def _list_prompts(
        self, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        del ctx, params
        arguments = [
            types.PromptArgument(name=one.name, description=one.says, required=False)
            for one in prompts.ARGUMENTS
        ]
        prompt = types.Prompt(
            name=prompts.NAME, title=prompts.TITLE, description=prompts.SAYS, arguments=arguments
        )
        return types.ListPromptsResult(prompts=[prompt])

    async def _get_prompt(
        self, ctx: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        if params.name != prompts.NAME:
            raise MCPError(types.INVALID_PARAMS, f"There is one prompt: {prompts.NAME}.")
        try:
            text = await prompts.text_of(self._desk_of(ctx), params.arguments or {})
        except BudgetError as error:
            raise MCPError(types.INVALID_PARAMS, error.detail) from error
        content = types.TextContent(text=text)
        return types.GetPromptResult(
            description=prompts.SAYS, messages=[types.PromptMessage(role="user", content=content)]
        )


def tools_shown(shown: tuple[tools.Tool, ...]) -> list[types.Tool]:
    """Tools in the protocol's words."""
    return [
        types.Tool(
            name=tool.name,
            description=tool.says,
            input_schema=tool.schema(),
            annotations=_READS if tool.reads else None,
        )
        for tool in shown
    ]


_JSON = "application/json"
_READS = types.ToolAnnotations(read_only_hint=True)
_FAULT = Answer(
    "The budget service failed at this; nothing is known to be wrong with what you sent. Try once "
    "more, then go on without it.",
    {"code": "internal"},
)


def _result(answer: Answer, *, is_error: bool = False) -> types.CallToolResult:
    """The sentence first, then the numbers: as text for who reads that, and as they are."""
    data = plain(answer.data)
    content: list[types.ContentBlock] = [types.TextContent(text=answer.text)]
    if data:
        content.append(types.TextContent(text=encode(answer.data).decode()))
    return types.CallToolResult(content=content, structured_content=data, is_error=is_error)


def _refused(error: BudgetError, uri: str) -> MCPError:
    code = RESOURCE_NOT_FOUND if isinstance(error, NotFound) else types.INVALID_PARAMS
    return MCPError(code, error.detail, {"uri": uri, "code": error.code})
