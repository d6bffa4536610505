"""All commands under one program, and the options that every one of them takes."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tekton_budget.frontends.cli import (
    alerts,
    allocations,
    checks,
    config,
    database,
    demo,
    keys,
    mcp,
    original,
    report,
    serve,
    stores,
    usage,
)
from tekton_budget.frontends.cli.limiting import budgets, credit, policies, set_limit, status
from tekton_budget.frontends.cli.prices import app as prices
from tekton_budget.frontends.cli.prices import recommend
from tekton_budget.frontends.cli.runs import listing, run, top
from tekton_budget.frontends.cli.terminal.exits import told
from tekton_budget.frontends.cli.terminal.output import Form
from tekton_budget.frontends.cli.terminal.session import PROGRAM, Session, form_of
from tekton_budget.tekton_environment import adopt

_FLAGS = frozenset({"--json", "--csv", "--nl"})
_LEADING = _FLAGS | {"--table", "--debug"}  # those two stand before the command only
_ANSWERED = frozenset({"-h", "--help", "--version"})
_VALUED = frozenset({"--url", "--key", "--database-url", "--config"})


class AnywhereGroup(TyperGroup):
    """The program: its own options may stand anywhere on the line."""

    def __init__(self, **attributes: Any) -> None:  # Any: typer's own
        super().__init__(**attributes)
        _name_no_variables(self)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # Any: typer's own context
        """Its own options first, wherever they stood."""
        return super().parse_args(ctx, brought_forward(original.modernised(args, _VALUED)))

    def invoke(self, ctx: Any) -> Any:  # Any: typer's own context
        """Refusals end with their exit code, whoever runs the program."""
        with told():
            return super().invoke(ctx)


app = typer.Typer(
    name=PROGRAM,
    cls=AnywhereGroup,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"auto_envvar_prefix": "BUDGET", "help_option_names": ["-h", "--help"]},
)


@app.callback()
def program(
    context: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(envvar="BUDGET_URL", help="A server; without one, the database itself"),
    ] = None,
    key: Annotated[
        str | None, typer.Option(envvar="BUDGET_KEY", help="The key to show to the server")
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(
            envvar="BUDGET_DATABASE_URL",
            help="The database, where no server is named (your own): sqlite:////path/file.db or "
            "postgresql://…",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(envvar="BUDGET_CONFIG", help="A budget.toml with settings")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON, also on a terminal")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Lists as CSV")] = False,
    lines: Annotated[bool, typer.Option("--nl", help="Lists as one JSON object a line")] = False,
    table: Annotated[bool, typer.Option("--table", hidden=True)] = False,
    debug: Annotated[bool, typer.Option("--debug", hidden=True)] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version")] = False,
) -> None:
    """Holds LLM spending, in tokens and in money, exactly to the limits people set.

    \b
    tekton-budget demo                            see a limit hold
    tekton-budget set 5usd/day                    nothing costs more than $5 a day
    tekton-budget set team=a 2000usd/month
    tekton-budget set 50usd/month --per user
    tekton-budget status team=a
    tekton-budget run --cost 2 -- claude          one run of an agent, under a cap
    tekton-budget serve                           the service and gateway on 127.0.0.1:8013

    These options may stand anywhere. Every option has an environment variable:
    BUDGET_USAGE_LIST_LIMIT is --limit of usage list.

    The words of Tekton's first budget work too, as in tekton-budget set-limit daily 5.
    """
    del version  # answered before any command is looked for
    given = {"url": url, "key": key, "database_url": database_url, "config": config}
    typed = {name for name in given if _is_typed(context, name)}
    if "database_url" in typed and "url" not in typed:
        url = None
    if url is None and "key" not in typed:
        key = None  # that of the environment is meant for servers; the database is one's own
    context.obj = Session(
        url=url,
        key=key,
        database_url=database_url,
        config=config,
        form=Form.TABLE if table else form_of(json=json, csv=csv, lines=lines),
        debug=debug,
        named=tuple(
            word
            for name in ("url", "database_url", "config")
            if name in typed
            for word in (f"--{name.replace('_', '-')}", str(given[name]))
        ),
    )


def brought_forward(words: list[str]) -> list[str]:
    """The program's own options, in front of the command."""
    own: list[str] = []
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            rest += [word, *left]
            break
        name, equals, _ = word.partition("=")
        if word in _FLAGS or (equals and name in _VALUED):
            own.append(word)
        elif word in _VALUED and left:
            own += [word, left.pop(0)]
        else:
            rest.append(word)
    return own + rest


def _after_own(words: list[str]) -> list[str]:
    """What follows the program's own options."""
    left = list(words)
    while left and left[0].partition("=")[0] in _LEADING | _VALUED:
        taken = 2 if left[0] in _VALUED else 1
        left = left[taken:]
    return left


def main() -> None:
    """The command `tekton-budget`."""
    if sys.argv[1:] == ["--version"]:
        from importlib.metadata import version

        print(version("tekton-budget"))
        return
    with told():
        adopt()
    app(prog_name=PROGRAM)


def component() -> None:
    """`python -m tekton_budget`, as Tekton starts a component: without a command it serves."""
    words = brought_forward(original.modernised(sys.argv[1:], _VALUED))
    own = len(words) - len(_after_own(words))
    first = words[own] if words[own:] else ""
    if not first or (first.startswith("-") and first not in _ANSWERED):
        words.insert(own, "serve")
    sys.argv[1:] = words
    main()


def _name_no_variables(command: Any) -> None:  # Any: typer's own command classes
    """Help names a variable only where it does not follow from the words of the command."""
    for one in command.params:
        one.show_envvar = False
    for inner in getattr(command, "commands", {}).values():
        _name_no_variables(inner)


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


set_limit.add_to(app)
status.add_to(app)
credit.add_to(app)
demo.add_to(app)
serve.add_to(app)
mcp.add_to(app)
run.add_to(app)
top.add_to(app)
app.add_typer(listing.app, name="runs")
app.add_typer(budgets.app, name="budgets")
app.add_typer(policies.app, name="policies")
app.add_typer(allocations.app, name="allocations")
app.add_typer(usage.app, name="usage")
app.add_typer(alerts.app, name="alerts")
report.add_to(app)
recommend.add_to(prices.app)
app.add_typer(prices.app, name="prices")
app.add_typer(keys.app, name="keys")
app.add_typer(stores.import_app, name="import")
app.add_typer(stores.export_app, name="export")
app.add_typer(database.app, name="db")
checks.add_to(app)
app.add_typer(config.app, name="config")
original.add_to(app, prices.app)
