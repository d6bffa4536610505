"""A run's command: its terminal, its signals, its end, and how it is stopped in stages."""

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tekton_budget.frontends.cli.runs.command import Bell, Outcome, Stop, run_command

PYTHON = [sys.executable, "-I", "-S", "-c"]
PATIENCE_SECONDS = 120


@pytest.fixture
def bell() -> Iterator[Bell]:
    one = Bell()
    yield one
    one.close()


def run(bell: Bell, code: str, **options: object) -> Outcome:
    return run_command([*PYTHON, code], os.environ, bell, **options)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
    ],
)
def test_its_own_code_is_told(bell: Bell, code: str, expected: int) -> None:
    assert run(bell, code) == Outcome(expected, None)


def test_it_is_alone_in_its_group_with_the_default_signals(bell: Bell) -> None:
    code = (
        "import os, signal\n"
        "default = signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
        "unblocked = not signal.pthread_sigmask(signal.SIG_BLOCK, [])\n"
        "raise SystemExit(10 + (os.getpgrp() == os.getpid()) + 2 * default + 4 * unblocked)"
    )

    assert run(bell, code).code == 17


def test_what_cannot_be_started_is_told_at_once(bell: Bell) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(FileNotFoundError):
        run_command(["/there/is/none"], {}, bell)

    assert signal.getsignal(signal.SIGINT) is before


SAYS_WHEN = "import os, signal, sys, time\nopen(sys.argv[1], 'w').close()\n"


def said(tmp_path, code: str) -> list[str]:
    return [*PYTHON, code, str(tmp_path / "begun")]


def when_begun(tmp_path, act) -> threading.Thread:
    """Do something once the command has begun."""

    def work() -> None:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while not (tmp_path / "begun").exists() and time.monotonic() < give_up_at:
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_passed_on_and_the_end_is_in_order(tmp_path, bell: Bell, number: int) -> None:
    code = "import signal\n" + "".join(
        f"signal.signal({n}, lambda *a: sys.exit({n}))\n" for n in (1, 2, 15)
    )
    thread = when_begun(tmp_path, lambda: os.kill(os.getpid(), number))
    command = said(tmp_path, "import sys\n" + code + SAYS_WHEN + "time.sleep(60)")
    outcome = run_command(command, os.environ, bell)
    thread.join()

    assert outcome == Outcome(number, None)


@pytest.mark.parametrize(
    ("ignored", "expected"),
    [((), 5), ((signal.SIGINT,), 143), ((signal.SIGINT, signal.SIGTERM), 137)],
)
def test_it_is_stopped_in_stages(tmp_path, bell: Bell, ignored, expected: int) -> None:
    code = "import signal, sys\nsignal.signal(2, lambda *a: sys.exit(5))\n" + "".join(
        f"signal.signal({int(n)}, signal.SIG_IGN)\n" for n in ignored
    )
    thread = when_begun(tmp_path, lambda: bell.ring(Stop.CAP))
    command = said(tmp_path, code + SAYS_WHEN + "time.sleep(60)")
    outcome = run_command(command, os.environ, bell, stage_seconds=0.1)
    thread.join()

    assert outcome == Outcome(expected, Stop.CAP)


def test_what_it_started_is_stopped_with_it(tmp_path, bell: Bell) -> None:
    code = (
        "import subprocess, sys\n"
        "inner = subprocess.Popen(['sleep', '60'])\n"
        "open(sys.argv[1] + '-pid', 'w').write(str(inner.pid))\n" + SAYS_WHEN + "inner.wait()\n"
    )
    thread = when_begun(tmp_path, lambda: bell.ring(Stop.OUTER))
    outcome = run_command(said(tmp_path, code), os.environ, bell, stage_seconds=5)
    thread.join()

    assert outcome.stopped is Stop.OUTER
    assert is_gone(int((tmp_path / "begun-pid").read_text()))


def is_gone(pid: int) -> bool:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up_at:
        try:
            state = Path(f"/proc/{pid}/stat").read_text()
            if state.rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


def test_when_its_time_is_up_it_is_stopped_and_the_first_reason_stays(bell: Bell) -> None:
    begun = time.monotonic()
    outcome = run(bell, "import time; time.sleep(60)", wall_seconds=0.1, stage_seconds=0.1)

    assert outcome.stopped is Stop.WALL
    assert time.monotonic() - begun < PATIENCE_SECONDS
    bell.ring(Stop.CAP)
    bell.ring(Stop.OUTER)
    assert run(bell, "import time; time.sleep(60)", stage_seconds=0.1).stopped is Stop.CAP


DRIVER = """
import os, sys
from tekton_budget.frontends.cli.runs.command import Bell, run_command
bell = Bell()
said = lambda: os.write(1, b"[resumed]")
code = run_command(sys.argv[1:], os.environ, bell, resumed=said).code
mine = os.tcgetpgrp(0) == os.getpgrp()
os.write(1, b"[ended %d %s]" % (code, b"mine" if mine else b"lost"))
"""


@contextmanager
def on_a_terminal(code: str) -> Iterator[tuple[subprocess.Popen, int]]:
    """The driver with a terminal of its own, as the job that a shell has in the foreground."""
    ours, theirs = pty.openpty()

    def take() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, *PYTHON, code],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=take,  # noqa: PLW1509  (it makes one call of the system)
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def heard(terminal: int, wanted: str) -> str:
    text = ""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while wanted not in text and time.monotonic() < give_up_at:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                text += os.read(terminal, 4096).decode()
            except OSError:  # whoever was at the other end has gone
                break
    assert wanted in text, text
    return text


IN_FRONT = "import os, sys\nassert os.tcgetpgrp(0) == os.getpgrp()\n"


def test_the_terminal_is_the_command_s_and_ctrl_c_reaches_it_alone() -> None:
    code = IN_FRONT + (
        "import signal, time\n"
        "signal.signal(2, lambda *a: (os.write(1, b'[ctrl-c]'), sys.exit(4)))\n"
        "os.write(1, b'[%s]' % sys.stdin.readline().strip().encode())\n"
        "time.sleep(60)"
    )
    with on_a_terminal(code) as (process, terminal):
        os.write(terminal, b"typed\n")
        heard(terminal, "[typed]")
        os.write(terminal, b"\x03")

        heard(terminal, "[ended 4 mine]")
        assert process.wait(PATIENCE_SECONDS) == 0


def test_ctrl_z_stops_both_and_the_shell_continues_both() -> None:
    code = IN_FRONT + "os.write(1, b'[%s]' % sys.stdin.readline().strip().encode())\n" * 2
    with on_a_terminal(code) as (process, terminal):
        os.write(terminal, b"one\n")
        heard(terminal, "[one]")
        # Its parent is of another session, so the kernel lets ^Z stop nothing here but the command;
        # what is seen is that it goes on at once, after we have said that we live.
        os.write(terminal, b"\x1a")
        heard(terminal, "[resumed]")
        os.write(terminal, b"two\n")

        heard(terminal, "[ended 0 mine]")
        assert process.wait(PATIENCE_SECONDS) == 0


def test_modes_of_the_terminal_are_put_back_after_a_killed_command() -> None:
    code = IN_FRONT + (
        "import signal, termios\n"
        "modes = termios.tcgetattr(0)\n"
        "modes[3] &= ~termios.ECHO\n"
        "termios.tcsetattr(0, termios.TCSANOW, modes)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    with on_a_terminal(code) as (_, terminal):
        heard(terminal, "[ended 137 mine]")

        assert termios.tcgetattr(terminal)[3] & termios.ECHO
