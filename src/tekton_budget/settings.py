"""Every setting, typed and read once: BUDGET_* in the environment, `budget.toml`, defaults."""

import re
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tekton_budget.domain.command import LedgerSettings
from tekton_budget.domain.errors import BudgetError, FieldFault, InvalidInput
from tekton_budget.domain.period import zone_named
from tekton_budget.domain.policy import Holding
from tekton_budget.tekton_environment import EVERYWHERE, tekton_environment

PORT_DEFAULT = 8013


class Mode(StrEnum):
    """Whether limits are enforced, or only judged and recorded."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


class Unbudgeted(StrEnum):
    """What becomes of a call that no policy concerns."""

    ALLOW = "allow"
    DENY = "deny"


class Prices(StrEnum):
    """With which price list an installation begins."""

    EMBEDDED = "embedded"
    NONE = "none"


class LogFormat(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


class DenialStatus(IntEnum):
    """The HTTP status by which the gateway denies."""

    PAYMENT_REQUIRED = 402
    TOO_MANY_REQUESTS = 429


class Unmetered(StrEnum):
    """What becomes of a call through the gateway whose cost cannot be bounded."""

    REFUSE = "refuse"
    PASS = "pass"  # noqa: S105  (what passes is a call)


def default_database_url() -> str:
    """The user's own database."""
    return f"sqlite:///{user_data_path('tekton-budget', appauthor=False) / 'budget.db'}"


# Tekton's words for what log lines look like, and for how much is logged.
_LOG_FORMATS = dict.fromkeys(("compact", "standard", "detailed", "debug", "minimal"), "text")
_LOG_LEVELS = {"TRACE": "DEBUG", "WARN": "WARNING", "FATAL": "CRITICAL", "OFF": "CRITICAL"}
_UPSTREAM = "BUDGET_UPSTREAM_"
_UPSTREAM_KEY = "BUDGET_UPSTREAM_KEY_"


class Settings(BaseSettings):
    """One field a setting; its environment twin is `BUDGET_` and the name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="BUDGET_", toml_file="budget.toml", extra="ignore", frozen=True
    )

    host: str = Field(
        "127.0.0.1", description="Address to listen on; others than loopback need keys"
    )
    port: int = Field(
        PORT_DEFAULT, ge=0, le=65535, description="Port to listen on; 0 takes a free one"
    )
    database_url: str = Field(
        default_factory=default_database_url,
        description="sqlite:////path/file.db or postgresql://user@host/name",
    )
    mode: Mode = Field(Mode.ENFORCE, description="shadow: judge and record, let everything through")
    unbudgeted: Unbudgeted = Field(
        Unbudgeted.ALLOW, description="deny: refuse calls that no policy concerns"
    )
    timezone: str = Field(
        "UTC",
        description="Zone of new policies, and in which days are cut in reports; a database keeps "
        "the one of its first start",
    )
    prices: Prices = Field(
        Prices.EMBEDDED,
        description="embedded: take over the price list that this version brings along; none: only "
        "prices that you set or load",
    )
    assume_model: str | None = Field(
        None, description="Model by which tokens without a model are priced for cost limits"
    )
    admin_key: SecretStr | None = Field(
        None, description="The first admin key of a new installation, as in a container"
    )
    workers: int = Field(
        1, ge=1, le=64, description="Server processes; more than 1 needs PostgreSQL"
    )
    queue_max: int = Field(20_000, ge=1, description="Commands that may wait before 503")
    batch_max: int = Field(256, ge=1, le=2000, description="Commands of one transaction")
    outbox_days: float = Field(7.0, gt=0, description="Days after which sent events are pruned")
    decisions_days: float = Field(90.0, gt=0, description="Days for which denials can be asked for")
    alerts_days: float = Field(90.0, gt=0, description="Days for which alerts are kept")
    expire_seconds: float = Field(1.0, gt=0, description="Seconds between passes that end holds")
    relay_seconds: float = Field(0.5, gt=0, description="Seconds between passes that number events")
    prune_seconds: float = Field(3600.0, gt=0, description="Seconds between passes that prune")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    log_format: LogFormat = Field(LogFormat.TEXT, description="text for people, json for machines")
    access_log: bool = Field(True, description="A line for each request")
    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="Host names (besides loopback) that requests may be addressed to, without keys",
    )
    cors_origins: tuple[str, ...] = Field(
        ("http://localhost:8080", "http://127.0.0.1:8080"),
        description="Pages that may call from a browser; the default is Tekton's own dashboard",
    )
    shutdown_enabled: bool = Field(False, description="Whether POST /shutdown stops the service")
    api_require_auth: bool = Field(
        False, description="Whether a key is needed on loopback too, where none has been made yet"
    )
    prices_stale_days: float = Field(
        180.0,
        gt=0,
        description="Days after which prices that nobody renewed make /health say degraded",
    )

    public_host: str | None = Field(
        None,
        description="Host by which other components find this one, told to Hermes; without it, the "
        "one it listens on",
    )
    hermes_url: str | None = Field(
        None, description="Tekton's Hermes, at which this service registers; without it, nowhere"
    )
    hermes_name: str = Field(
        "budget",
        description="Id, name and type by which this service registers there; penia, where Tekton "
        "asks for it by that name",
    )
    hermes_timeout_seconds: float = Field(
        30.0, gt=0, description="Seconds within which Hermes has to answer"
    )
    hermes_interval_seconds: float = Field(
        30.0, gt=0, description="Seconds between two signs of life for Hermes"
    )
    hermes_required: bool = Field(
        False, description="Whether /health says degraded while Hermes does not know this service"
    )
    mcp_enabled: bool = Field(True, description="Whether /mcp and /api/mcp are served")

    upstreams: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict,
        description="Where the gateway finds providers, by name: BUDGET_UPSTREAM_OPENAI=https://…, "
        "or a table [upstreams] in budget.toml; anthropic+https://… for one that speaks "
        "Anthropic's API",
    )
    upstream_keys: Annotated[dict[str, SecretStr], NoDecode] = Field(
        default_factory=dict,
        description="Their keys by name, where those are not in their usual variables "
        "(OPENAI_API_KEY, …): BUDGET_UPSTREAM_KEY_OPENAI=…, or a table [upstream_keys]",
    )
    denial_status: DenialStatus = Field(
        DenialStatus.PAYMENT_REQUIRED,
        description="HTTP status of the gateway's denials; 429 is what OpenAI sends when a quota "
        "is used up, for applications that know only that",
    )
    gateway_wait: float = Field(
        10.0,
        ge=0,
        le=300,
        description="Seconds that a call through the gateway waits while only others' holds are in "
        "the way",
    )
    gateway_hold: Holding = Field(
        Holding.FULL,
        description="What a stream through the gateway holds: full, all its output; growing, slice "
        "by slice ahead of what arrives",
    )
    gateway_unmetered: Unmetered = Field(
        Unmetered.REFUSE,
        description="A call through the gateway that cannot be metered: refuse it, or pass it on "
        "and log it",
    )
    gateway_output_tokens: int | None = Field(
        None,
        ge=1,
        description="Output tokens of calls through the gateway that name no maximum; without it, "
        "the model's ceiling",
    )
    gateway_min_grant: int = Field(
        16, ge=1, description="The fewest output tokens that a call through the gateway is cut to"
    )
    gateway_growing_slice: int = Field(
        1024, ge=1, description="Output tokens that a growing hold takes ahead at a time"
    )
    gateway_growing_margin: int = Field(
        64, ge=0, description="Output tokens of a growing hold kept for what is in flight"
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            zone_named(value)
        except BudgetError as error:
            raise ValueError(error.detail) from error
        return value

    @field_validator("log_format", mode="before")
    @classmethod
    def _known_format(cls, value: Any) -> Any:  # Any: what was given
        return _LOG_FORMATS.get(value.lower(), value.lower()) if isinstance(value, str) else value

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        level = value.upper()
        return _LOG_LEVELS.get(level, level)

    @field_validator("hermes_name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", value) is None:
            raise ValueError("send 1 to 64 of the characters a-z 0-9 _ -")
        return value

    @field_validator("hermes_url")
    @classmethod
    def _whole_url(cls, value: str | None) -> str | None:
        url = (value or "").strip().rstrip("/")
        if not url:
            return None
        try:
            parts = urlsplit(url)
            is_whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            is_whole = False
        if not is_whole:
            raise ValueError(f'"{value}" is no address: write it like http://localhost:8001')
        return url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options given in code, the environment, the file, and what Tekton says to all its
        components. Inside Tekton its files are part of the environment.
        """
        del dotenv_settings, file_secret_settings
        assert isinstance(env_settings, EnvSettingsSource)
        found = tekton_environment()
        env_settings.env_vars = {
            **env_settings.env_vars,
            **{name.lower(): found.variables[name] for name in found.files},
        }
        tekton = {name: meant.value for name, meant in found.settings().items()}
        return (
            init_settings,
            env_settings,
            TomlConfigSettingsSource(settings_cls),
            InitSettingsSource(settings_cls, tekton),
        )

    @model_validator(mode="before")
    @classmethod
    def _named_upstreams(cls, given: Any) -> Any:  # Any: what pydantic collected
        """`BUDGET_UPSTREAM_<NAME>` and `BUDGET_UPSTREAM_KEY_<NAME>`, which go before the file."""
        addresses = dict(given.get("upstreams") or {})
        keys = dict(given.get("upstream_keys") or {})
        for variable, value in tekton_environment().variables.items():
            if value and variable.startswith(_UPSTREAM_KEY):
                keys[variable[len(_UPSTREAM_KEY) :].lower()] = value
            elif value and variable.startswith(_UPSTREAM):
                addresses[variable[len(_UPSTREAM) :].lower()] = value
        return {**given, "upstreams": addresses, "upstream_keys": keys}

    def public_url(self, port: int) -> str:
        """Where other components find this one, once it listens on a port."""
        host = self.public_host or self.host
        if self.public_host is None and host in ("127.0.0.1", *EVERYWHERE):
            host = "localhost"
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def ledger(self) -> LedgerSettings:
        """What of it the ledger needs to know."""
        return LedgerSettings(
            shadow=self.mode is Mode.SHADOW,
            deny_unbudgeted=self.unbudgeted is Unbudgeted.DENY,
            assume_model=self.assume_model,
            timezone=self.timezone,
        )


def load_settings(config_file: Path | None = None, **given: Any) -> Settings:
    """The settings in force; a faulty one is refused with its name. `None` means not given."""
    known = {name: value for name, value in given.items() if value is not None}
    if config_file is not None and not config_file.is_file():
        text = f"there is no file {config_file}"
        raise InvalidInput(f"config: {text}", FieldFault("config", text), code="setting_invalid")
    kind = Settings if config_file is None else _with_file(config_file)
    try:
        return kind(**known)
    except ValidationError as error:
        faults = [FieldFault(_said_by(kind, e["loc"], known), e["msg"]) for e in error.errors()]
        detail = "; ".join(f"{fault.field}: {fault.message}" for fault in faults)
        raise InvalidInput(detail, *faults, code="setting_invalid") from error


def _said_by(kind: type[Settings], place: tuple[int | str, ...], given: dict[str, Any]) -> str:
    """The variable that a faulty setting is mended by: Tekton's where only Tekton's says it."""
    name = str(place[0]) if place else ""
    found = tekton_environment()
    own = f"BUDGET_{'_'.join(map(str, place)).upper()}"
    in_file = TomlConfigSettingsSource(kind)()
    if name in given or name in in_file or own in found.variables:
        return own
    tekton = found.settings().get(name)
    return own if tekton is None else tekton.variable


def _with_file(config_file: Path) -> type[Settings]:
    class FromFile(Settings):
        model_config = SettingsConfigDict(
            env_prefix="BUDGET_", toml_file=config_file, extra="ignore", frozen=True
        )

    return FromFile
