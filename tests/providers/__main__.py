"""The mock provider as a process of its own, for benchmarks: `python -m tests.providers --port 9100`."""

import argparse
import asyncio
import contextlib
import sys

import uvloop
from tests.providers.scenario import Scenario
from tests.providers.server import MockProvider, serve


async def main(port: int, played: str) -> None:
    mock = MockProvider()
    if played:
        mock.default = Scenario.of(played)
    await serve(mock, port=port)
    print(mock.url, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--plays", default="", help="the scenario of all requests, as in x-mock")
    options = parser.parse_args(sys.argv[1:])
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main(options.port, options.plays))
