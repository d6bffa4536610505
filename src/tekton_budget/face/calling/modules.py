"""httpx and httpx2: one API in two modules, whose clients are not each other's."""

import weakref
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from tekton_budget.domain.errors import invalid

SILENCE_SECONDS = 600  # without a byte, as the SDKs' own clients wait
CONNECT_SECONDS = 5
_KNOWN = ("httpx2", "httpx")  # the SDKs of today take the first, those before them the second

Module = Any  # Any: httpx, or httpx2, which need not be there


def http_module(named: ModuleType | str | None) -> Module:
    """The module that is named, else httpx2 where it is installed, as by today's SDKs."""
    name = named.__name__ if isinstance(named, ModuleType) else named
    if name is None:
        try:
            return import_module("httpx2")
        except ImportError:
            return import_module("httpx")
    if name not in _KNOWN:
        raise invalid("module", f"{name!r} is none of httpx2 and httpx")
    try:
        return import_module(name)
    except ImportError as error:
        raise invalid(
            "module",
            f"{name} is not installed: pip install {name}, or leave `module` out",
            code="module_missing",
        ) from error


class Clients:
    """The clients that a budget gave out and that are still there, to be closed with it."""

    def __init__(self) -> None:
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()

    def opened(self, kind: Callable[..., Any], transport: Any) -> Any:  # Any: of a Module
        """A client whose every call goes by this transport, whatever proxies there are."""
        http = transport.http
        timeout = http.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
        client = kind(transport=transport, timeout=timeout, trust_env=False)
        self._open.add(client)
        return client

    def taken(self) -> list[Any]:  # Any: as above
        """All of them, to be closed."""
        found = [client for client in self._open if not client.is_closed]
        self._open.clear()
        return found
