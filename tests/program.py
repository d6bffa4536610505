"""The command line, kept warm: commands are forks of one process that has read its modules.

    python program.py SOCKET          keeps, until its standard input ends
    python program.py SOCKET WORD…    runs `tekton-budget WORD…` there, on this terminal

Reading the modules is nearly all of a command's second. What a command does is its own: arguments,
environment, directory, terminal, process and exit code.
"""

import json
import os
import socket
import sys

MESSAGE_BYTES_MAX = 1 << 20


def ask(address: str, words: list[str]) -> int:
    """Run a command at the keeper's; its exit code, once its process is gone."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(address)
        said = {"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109
        socket.send_fds(line, [b"!"], [0, 1, 2])
        line.sendall(json.dumps(said).encode() + b"\n")
        code = b""
        while piece := line.recv(16):
            code += piece
    return int(code or 70)  # it was killed


def keep(address: str) -> None:
    """Fork for each who asks."""
    import gc
    import selectors

    import coverage.control
    import coverage.sqldata

    import tekton_budget.client
    import tekton_budget.frontends.cli
    import tekton_budget.library
    import tekton_budget.server.private

    del coverage, tekton_budget
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(16)
    os.write(1, b"ready\n")
    waiting = selectors.DefaultSelector()
    waiting.register(0, selectors.EVENT_READ)
    waiting.register(listener, selectors.EVENT_READ)
    while not any(key.fd == 0 for key, _ in waiting.select()):
        line, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _run(line)
            break
        line.close()
        _reap()


def _reap() -> None:
    """Let go of those that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _run(line: socket.socket) -> None:
    """Become the command that was asked for."""
    _, terminal, _, _ = socket.recv_fds(line, 1, 3)
    said = json.loads(line.makefile("rb").readline(MESSAGE_BYTES_MAX))
    for number, handle in enumerate(terminal):
        os.dup2(handle, number)
        os.close(handle)
    os.chdir(said["folder"])
    os.environ.clear()
    os.environ.update(said["environment"])
    sys.argv = ["tekton-budget", *said["words"]]
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    if "COVERAGE_PROCESS_CONFIG" in os.environ or "COVERAGE_PROCESS_START" in os.environ:
        import coverage

        coverage.process_startup(force=True)
    from tekton_budget.frontends.cli import main

    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    finally:
        sys.stdout.flush()
        line.sendall(str(code).encode())
        line.detach()  # it closes with the process, and that is when whoever asked goes on


if __name__ == "__main__":
    if sys.argv[2:]:
        sys.exit(ask(sys.argv[1], sys.argv[2:]))
    keep(sys.argv[1])
