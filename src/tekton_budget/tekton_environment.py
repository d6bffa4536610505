"""Tekton's environment: its files, which goes before which, and what its variables mean here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tekton_budget.domain.errors import InvalidInput, invalid

ROOT = "TEKTON_ROOT"
FROZEN = "_TEKTON_ENV_FROZEN"  # the launcher has read the files, and gave a child what they say
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  (addresses that are no name to be found by)
HERMES_PORT_DEFAULT = 8001
DATABASE = "tekton-budget.db"  # the original's `budget.db` in the same folder is another program's

# Of its files only what this program reads; providers' keys are there for the gateway.
_PREFIXES = ("BUDGET_", "HEPHAESTUS_", "HERMES_", "PENIA_", "TEKTON_")
_KEY = "_API_KEY"
_WORDS = {
    **dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True),
    **dict.fromkeys(("0", "false", "f", "no", "n", "off"), False),
}


@dataclass(frozen=True, slots=True)
class Meant:
    """What one of Tekton's variables says about one of our settings."""

    value: object
    variable: str


@dataclass(frozen=True, slots=True)
class TektonEnvironment:
    """The variables in force. `files` names, for each that a file said, that file."""

    variables: Mapping[str, str]
    files: Mapping[str, Path]

    @property
    def root(self) -> Path | None:
        """Where Tekton is; None outside of it."""
        root = self.variables.get(ROOT, "").strip()
        return Path(root).expanduser().absolute() if root else None

    def settings(self) -> dict[str, Meant]:
        """Our settings by what Tekton's variables say. Outside of Tekton only those two count that
        can mean nothing else: `PENIA_PORT` and `HERMES_URL`.
        """
        found: dict[str, Meant] = {}
        self._take(found, "port", "PENIA_PORT")
        root = self.root
        if root is not None:
            self._inside(found, root)
        discovers = root is None or self._says("TEKTON_HERMES_DISCOVERY", default=True)
        if discovers:
            self._hermes(found, inside=root is not None)
        return found

    def penia_differs(self) -> str | None:
        """`PENIA_PORT`, where it is not the `BUDGET_PORT` that goes before it."""
        budget, penia = self._text("BUDGET_PORT"), self._text("PENIA_PORT")
        return penia if budget and penia and budget != penia else None

    def _inside(self, found: dict[str, Meant], root: Path) -> None:
        data = self._text("TEKTON_DATA_DIR")
        folder = root / Path(data).expanduser() if data else root / ".tekton" / "data"
        found["database_url"] = Meant(
            f"sqlite:///{folder / 'budget' / DATABASE}", "TEKTON_DATA_DIR" if data else ROOT
        )
        if self._says("TEKTON_DEBUG", default=False):
            found["log_level"] = Meant("DEBUG", "TEKTON_DEBUG")
        self._take(found, "log_level", "TEKTON_LOG_LEVEL")
        self._take(found, "log_format", "TEKTON_LOG_FORMAT")
        self._take(found, "mcp_enabled", "TEKTON_MCP_ENABLED")
        self._take(found, "hermes_timeout_seconds", "HERMES_REGISTRATION_TIMEOUT")
        if self._text("TEKTON_HOST") not in EVERYWHERE:
            self._take(found, "public_host", "TEKTON_HOST")
        pages = self._text("HEPHAESTUS_PORT")
        if pages:
            port = int(_number("HEPHAESTUS_PORT", pages))
            own = (f"http://localhost:{port}", f"http://127.0.0.1:{port}")
            found["cors_origins"] = Meant(own, "HEPHAESTUS_PORT")
        checks = self._text("HERMES_HEALTH_CHECK_INTERVAL")
        if checks:  # two signs of life in each of its checks
            found["hermes_interval_seconds"] = Meant(
                _number("HERMES_HEALTH_CHECK_INTERVAL", checks) / 2, "HERMES_HEALTH_CHECK_INTERVAL"
            )

    def _hermes(self, found: dict[str, Meant], *, inside: bool) -> None:
        self._take(found, "hermes_url", "HERMES_URL")
        if not inside or "hermes_url" in found:
            return
        host, port = self._text("HERMES_HOST"), self._text("HERMES_PORT")
        if host or port:
            known = self._text("TEKTON_HOST")
            name = host or (known if known not in EVERYWHERE else "") or "localhost"
            url = f"http://[{name}]" if ":" in name else f"http://{name}"
            found["hermes_url"] = Meant(
                f"{url}:{port or HERMES_PORT_DEFAULT}", "HERMES_PORT" if port else "HERMES_HOST"
            )

    def _take(self, found: dict[str, Meant], setting: str, variable: str) -> None:
        text = self._text(variable)
        if text:
            found[setting] = Meant(text, variable)

    def _text(self, variable: str) -> str:
        return self.variables.get(variable, "").strip()

    def _says(self, variable: str, *, default: bool) -> bool:
        text = self._text(variable).lower()
        if not text:
            return default
        if text not in _WORDS:
            raise invalid(variable, f'"{text}" is neither true nor false', code="setting_invalid")
        return _WORDS[text]


def tekton_environment(
    variables: Mapping[str, str] | None = None, home: Path | None = None
) -> TektonEnvironment:
    """The environment of this process, and over it, inside Tekton, what its files say: `~/.env`,
    then `.env.tekton` and `.env.local` in `TEKTON_ROOT`, each before those that come first.

    Where the launcher has read them (`_TEKTON_ENV_FROZEN=1`), and outside of Tekton, no file is
    read. Refuses a file that is there and cannot be read.
    """
    process = dict(os.environ if variables is None else variables)
    root = TektonEnvironment(process, {}).root
    if root is None or process.get(FROZEN) == "1":
        return TektonEnvironment(process, {})
    files: dict[str, Path] = {}
    for file in (_home(home) / ".env", root / ".env.tekton", root / ".env.local"):
        said = {name: value for name, value in _lines(file).items() if _is_read(name)}
        process |= said
        files |= dict.fromkeys(said, file)
    process[ROOT] = str(root)  # a file does not move Tekton elsewhere
    files.pop(ROOT, None)
    return TektonEnvironment(process, files)


def adopt() -> None:
    """Put what Tekton's files say into this process's own environment, for all that reads it."""
    found = tekton_environment()
    os.environ.update({name: found.variables[name] for name in found.files})


def _is_read(name: str) -> bool:
    return name.startswith(_PREFIXES) or name.endswith(_KEY)


def _home(home: Path | None) -> Path:
    return home if home is not None else Path.home()


def _lines(file: Path) -> dict[str, str]:
    """`NAME=value` lines as Tekton reads them: no `export`, no comment behind a value."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise InvalidInput(
            f"Cannot read {file}: {error.strerror}. Tekton's settings are in it; let this user "
            f"read it, or unset {ROOT}.",
            code="setting_invalid",
        ) from error
    said: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if value[:1] in ("'", '"') and value[-1:] == value[:1]:
            value = value[1:-1]
        said[name.strip()] = value
    return said


def _number(variable: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise invalid(variable, f'"{text}" is no number', code="setting_invalid") from None
