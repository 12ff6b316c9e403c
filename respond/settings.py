"""Where the tenant, the state and the lab are: `respond.toml` and `RESPOND_<SECTION>__<KEY>`.

The directory is the first of `--config DIR`, `$RESPOND_CONFIG`, `./config` and the shipped copy. An unknown key
or a wrong type is a `UsageError` that names the key. The environment outranks the file. More than one tenant:
`respond/tenants.py`.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from respond import secret_files, tenants
from respond.durations import Duration, PositiveDuration, parse_duration
from respond.errors import UsageError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TenantMode(StrEnum):
    LAB = "lab"
    AZURE = "azure"


def is_loopback_http(url: str) -> bool:
    """Whether this is plain http to this machine: the only way a token may travel without TLS."""
    return re.match(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/|$)", url) is not None


def _is_address(value: str) -> str:
    if value and not (is_loopback_http(value) or re.fullmatch(r"https://[^/\s]+(/\S*)?", value)):
        raise ValueError(
            "is not an https:// URL (http:// is for this machine only); write https://HOST, or leave it empty"
        )
    return value


Address = Annotated[str, AfterValidator(_is_address)]
"""A URL, or empty for the usual one."""

_WORKSPACE_RESOURCE = re.compile(
    r"/subscriptions/[^/?#]+/resourceGroups/[^/?#]+/providers/Microsoft\.OperationalInsights/workspaces/[^/?#]+",
    re.IGNORECASE,
)


def _is_workspace(value: str) -> str:
    if value and not _WORKSPACE_RESOURCE.fullmatch(value):
        raise ValueError(
            "is not the resource id of a workspace; write /subscriptions/ID/resourceGroups/NAME"
            "/providers/Microsoft.OperationalInsights/workspaces/NAME, or leave it empty"
        )
    return value


WorkspaceId = Annotated[str, AfterValidator(_is_workspace)]
"""Azure resource id of a workspace, or empty."""


class Cloud(StrEnum):
    """Microsoft's clouds: one name for all endpoints (`respond/clients/clouds.py`)."""

    PUBLIC = "public"
    USGOV = "usgov"
    USGOV_DOD = "usgov-dod"
    CHINA = "china"


class IdentityKind(StrEnum):
    """How an identity shows who it is. Device code flow and the interactive browser are not among them."""

    UNSET = ""
    MANAGED = "managed-identity"
    WORKLOAD = "workload-identity"
    CERTIFICATE = "certificate"
    CLI = "cli"
    SECRET = "secret"  # noqa: S105 - a name
    DEFAULT = "default"


class Identity(_Section):
    """Who asks, or who changes something.

    Attributes:
        kind: empty: what `tenant.client_id` and `tenant.client_secret` say for reading; the reading identity for
            writing.
        client_id: of the application, or of a user-assigned managed identity.
        certificate: path of a PEM or PFX file with the private key.
        certificate_password: of that file.
        secret: client secret.
        token_file: of a workload identity; empty is `$AZURE_FEDERATED_TOKEN_FILE`.
    """

    kind: IdentityKind = IdentityKind.UNSET
    client_id: str = ""
    certificate: str = Field(default="", validate_default=True)
    certificate_password: SecretStr = SecretStr("")
    secret: SecretStr = Field(default=SecretStr(""), validate_default=True)
    token_file: str = ""

    @field_validator("certificate")
    @classmethod
    def _is_named(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("kind") is IdentityKind.CERTIFICATE and not value:
            raise ValueError('kind "certificate" needs the path of a PEM or PFX file here')
        return value

    @field_validator("secret")
    @classmethod
    def _is_given(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if info.data.get("kind") is IdentityKind.SECRET and not value.get_secret_value():
            raise ValueError('kind "secret" needs the secret here or in the environment; a certificate is better')
        return value


class Tenant(_Section):
    """Which tenant, and where its services answer.

    Attributes:
        workspace_resource_id: Azure resource id of the workspace; tells tenants apart where a delivery says no more.
    """

    mode: TenantMode = TenantMode.LAB
    cloud: Cloud = Cloud.PUBLIC
    tenant_id: str = ""
    workspace_id: str = ""
    workspace_resource_id: WorkspaceId = ""
    graph_endpoint: Address = ""
    logs_endpoint: Address = ""
    arm_endpoint: Address = ""
    authority: Address = ""
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    read: Identity = Identity()
    write: Identity = Identity()


class State(_Section):
    """Where cases, tickets and unfinished runs are kept."""

    url: SecretStr = SecretStr("")
    dir: str = ""
    keep_runs: PositiveDuration = parse_duration("30d")


class Hunt(_Section):
    since: PositiveDuration = parse_duration("24h")
    act_early: bool = True
    defender: bool = True
    absent_for: Duration = parse_duration("15m")
    users_at_once: int = Field(default=1000, ge=1, le=5000)


EVIDENCE_ACTIONS = frozenset(
    {
        "count_sign_ins",
        "find_access",
        "find_address_use",
        "find_devices",
        "find_footholds",
        "find_fresh_users",
        "find_lures",
        "find_recipients",
        "find_standing",
        "find_token_use",
        "find_usual_places",
        "hunt_confirmations",
        "know_standing",
        "match_lure_intel",
        "match_threat_intel",
        "read_incidents",
    }
)
"""Names that `evidence.limits` may use."""


class Evidence(_Section):
    """How long the evidence actions may take; what is not there by then is a gap."""

    limit: PositiveDuration = parse_duration("45s")
    limits: dict[str, PositiveDuration] = {"hunt_confirmations": parse_duration("10s")}

    @field_validator("limits")
    @classmethod
    def _names_actions(cls, limits: dict[str, timedelta]) -> dict[str, timedelta]:
        unknown = sorted(set(limits) - EVIDENCE_ACTIONS)
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no evidence action; known: {', '.join(sorted(EVIDENCE_ACTIONS))}")
        return limits


class Place(StrEnum):
    """Where a table is read."""

    WORKSPACE = "workspace"
    DEFENDER = "defender"
    AUTO = "auto"


class Sources(_Section):
    """Where each table is read that Defender XDR advanced hunting may hold as well; the keys are the tables' names."""

    SigninLogs: Place = Place.AUTO
    AADNonInteractiveUserSignInLogs: Place = Place.AUTO
    EmailEvents: Place = Place.AUTO
    EmailUrlInfo: Place = Place.AUTO
    EmailPostDeliveryEvents: Place = Place.AUTO
    UrlClickEvents: Place = Place.AUTO
    MessageEvents: Place = Place.AUTO
    MessageUrlInfo: Place = Place.AUTO
    CloudAppEvents: Place = Place.AUTO

    def of(self, table: str) -> Place:
        """Where a table is read; one that is not listed is the workspace's alone."""
        return Place(getattr(self, table)) if table in type(self).model_fields else Place.WORKSPACE


class Retry(_Section):
    """How long one action may keep trying; see `respond/clients/retry.py`."""

    attempts: int = Field(default=6, ge=1, le=20)
    first_wait: PositiveDuration = parse_duration("500ms")
    longest_wait: PositiveDuration = parse_duration("30s")
    read_budget: PositiveDuration = parse_duration("60s")
    write_budget: PositiveDuration = parse_duration("150s")
    request_timeout: PositiveDuration = parse_duration("30s")


class Pace(_Section):
    """What Microsoft's services take, as documented; see `respond/clients/pace.py`.

    Attributes:
        logs_at_once: queries of one identity that Log Analytics works on at the same time.
        logs_per_30s: queries of one identity in 30 seconds.
        graph_units_per_10s: resource units of one application: 3,500 in a tenant of under 50 users, 5,000 up to 500,
            8,000 above.
        hunting_per_min: advanced hunting queries of one tenant in a minute.
        identity_protection_per_s: requests of all applications of a tenant to Identity Protection in a second.
        risk_patience: evidence from there that would wait longer for its turn is a gap; containment may wait for it.
        reports_per_10s: requests of one application to the sign-in reports in 10 seconds.
        arm_per_10s: requests of one identity to Azure Resource Manager in 10 seconds.
        contain_share: share of Graph's and Azure's limits that only containment may use.
        breaker_after: an endpoint that failed so often in a row is not asked for evidence until `breaker_rest` is over.
    """

    logs_at_once: int = Field(default=5, ge=1)
    logs_per_30s: int = Field(default=200, ge=1)
    graph_units_per_10s: int = Field(default=3500, ge=10)
    hunting_per_min: int = Field(default=45, ge=1)
    identity_protection_per_s: int = Field(default=1, ge=1)
    risk_patience: Duration = parse_duration("2s")
    reports_per_10s: int = Field(default=5, ge=1)
    arm_per_10s: int = Field(default=250, ge=10)
    contain_share: float = Field(default=0.2, ge=0, le=0.9)
    breaker_after: int = Field(default=8, ge=1)
    breaker_rest: PositiveDuration = parse_duration("30s")


class Serve(_Section):
    """`respond serve` and `respond worker`.

    Attributes:
        runs_at_once: responses that one process works on at the same time; more of them wait.
        most_waiting: deliveries that may wait for an answer before new ones are turned away with 429.
        grace: how long a process that is told to stop goes on with what it has begun.
        beat: how often a process shows that it lives; one that was silent four times as long is taken for dead.
    """

    runs_at_once: int = Field(default=4, ge=1, le=500)
    most_waiting: int = Field(default=10_000, ge=1)
    grace: Duration = parse_duration("30s")
    beat: PositiveDuration = parse_duration("5s")


class Webhook(_Section):
    """Who may deliver to `/webhooks/sentinel`, and what is done with a delivery.

    Attributes:
        audience: application ID URI, or client id, that tokens must be issued for; empty takes no tokens.
        callers: object ids of the identities that may deliver.
        app_role: an identity that holds this app role may deliver as well.
        issuers: issuers of tokens beside the tenant's own two.
        hmac_secret: shared secret of senders that sign; empty takes no signatures.
        hmac_window: how far a signature's time may be from ours.
        body_within: a sender that takes longer for its request is cut off.
        entity_wait: how long an incident that names nobody, and in whose time nobody is found, is read again.
        answer_closed: answer incidents that are closed already when they arrive.
    """

    audience: str = ""
    callers: tuple[str, ...] = ()
    app_role: str = "Incidents.Deliver"
    issuers: tuple[str, ...] = ()
    hmac_secret: SecretStr = SecretStr("")
    hmac_window: PositiveDuration = parse_duration("5m")
    body_within: PositiveDuration = parse_duration("10s")
    entity_wait: Duration = parse_duration("10m")
    answer_closed: bool = False


class Schedule(_Section):
    """The tenant-wide hunt beside the webhook.

    Attributes:
        every: how often; zero turns it off.
        overlap: how far each look reaches back before the end of the last one, by time of arrival.
        look_back: sign-ins older than this are not looked for, however late they arrive.
    """

    every: Duration = parse_duration("5m")
    overlap: Duration = parse_duration("10m")
    look_back: PositiveDuration = parse_duration("24h")


class Sentinel(_Section):
    """What is written back to the incident that a delivery is about.

    Attributes:
        comment: one comment a stage.
        tag: a tag with the verdict.
        raise_severity: severity High for a malicious verdict; never lowered.
        activate: status Active when a person has to act or something was done.
        close_benign: close as a benign positive when every account of the incident is benign.
    """

    comment: bool = True
    tag: bool = True
    raise_severity: bool = True
    activate: bool = True
    close_benign: bool = False


class TicketsIn(StrEnum):
    """Where the ticket of a case is kept beside the embedded one, which is always kept."""

    LOCAL = "local"
    SERVICENOW = "servicenow"
    JIRA = "jira"
    GITHUB = "github"
    SENTINEL = "sentinel"
    MAIL = "mail"


class ServiceNow(_Section):
    """The Table API of one instance.

    Attributes:
        url: of the instance, such as https://example.service-now.com.
        table: that tickets are records of; it has `correlation_id`.
        import_set: import set table whose transform map coalesces on `correlation_id`; empty writes the table itself.
        description_length: characters that the description of a record takes; the instance drops the rest unasked.
    """

    url: Address = ""
    user: str = ""
    password: SecretStr = SecretStr("")
    table: str = Field(default="incident", pattern=r"^[a-z][a-z0-9_]*$")
    import_set: str = Field(default="", pattern=r"^([a-z][a-z0-9_]*)?$")
    description_length: int = Field(default=4_000, ge=500, le=65_000)


class Jira(_Section):
    """Jira Cloud, REST v3.

    Attributes:
        user: e-mail address that the API token belongs to.
        project: its key, such as SEC.
    """

    url: Address = ""
    user: str = ""
    token: SecretStr = SecretStr("")
    project: str = Field(default="", pattern=r"^([A-Za-z][A-Za-z0-9_]*)?$")
    issue_type: str = "Task"


class GitHub(_Section):
    """Issues of one repository.

    Attributes:
        url: of the API; that of an Enterprise Server is https://HOST/api/v3.
        repository: OWNER/NAME.
    """

    url: Address = "https://api.github.com"
    repository: str = Field(default="", pattern=r"^([\w.-]+/[\w.-]+)?$")
    token: SecretStr = SecretStr("")


MailAddress = Annotated[str, Field(pattern=r"^([^@\s<>]+@[^@\s<>]+)?$")]


class Mail(_Section):
    """Tickets by mail, through `sendMail` of Microsoft Graph.

    Attributes:
        sender: the mailbox that sends; the key is `from`.
        to: who gets them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    sender: MailAddress = Field(default="", alias="from")
    to: tuple[MailAddress, ...] = ()


_NEEDED = {
    TicketsIn.SERVICENOW: ("url", "user", "password"),
    TicketsIn.JIRA: ("url", "user", "token", "project"),
    TicketsIn.GITHUB: ("url", "repository", "token"),
    TicketsIn.MAIL: ("from", "to"),
}


class Tickets(_Section):
    """Which system tickets are kept in beside the embedded one, and where it is."""

    system: TicketsIn = TicketsIn.LOCAL
    servicenow: ServiceNow = ServiceNow()
    jira: Jira = Jira()
    github: GitHub = GitHub()
    mail: Mail = Mail()

    @model_validator(mode="after")
    def _has_what_its_system_needs(self) -> Self:
        section = getattr(self, self.system.value, None)
        for key in _NEEDED.get(self.system, ()):
            value = getattr(section, "sender" if key == "from" else key)
            if not (value.get_secret_value() if isinstance(value, SecretStr) else value):
                raise ValueError(f'tickets.{self.system}.{key} is empty; tickets.system = "{self.system}" needs it')
        return self


class NoticeOn(StrEnum):
    """What a notice is sent about."""

    MALICIOUS = "malicious"
    APPROVAL = "approval"
    FAILED = "failed"


def _is_secret_address(value: SecretStr) -> SecretStr:
    _is_address(value.get_secret_value())
    return value


SecretAddress = Annotated[SecretStr, AfterValidator(_is_secret_address)]
"""A URL that whoever knows it may post to, or empty for none."""


class Notices(_Section):
    """Where a person is told at once, beside the ticket.

    Attributes:
        teams_url: of a Teams workflow ("when a webhook request is received").
        slack_url: of a Slack incoming webhook.
        on: what is worth a notice.
        link: of a console or runbook; a notice links to `LINK/cases/CASE`.
    """

    teams_url: SecretAddress = SecretStr("")
    slack_url: SecretAddress = SecretStr("")
    on: tuple[NoticeOn, ...] = (NoticeOn.MALICIOUS, NoticeOn.APPROVAL, NoticeOn.FAILED)
    link: Address = ""

    @property
    def is_on(self) -> bool:
        """Whether there is anybody to tell."""
        return any(url.get_secret_value() for url in (self.teams_url, self.slack_url))


class LabFault(_Section):
    """One injected fault. It applies to requests whose `METHOD /path` matches, in the order of the list.

    Attributes:
        match: shell pattern over `METHOD /path`, such as `POST */revokeSignInSessions`; case matters not.
        contains: only when the request body holds this text (for a query: a table name, say).
        status: answer with this HTTP status instead of doing the work.
        retry_after: value of the Retry-After header, taken literally (seconds or an HTTP date); `+2s` is
            replaced by the HTTP date two seconds from now.
        kind: `status`; `partial` (a log query answers with a PartialError beside its rows); `drop_before`
            (the connection closes and nothing was done); `drop_after` (done, and the answer is lost).
        times: how often it strikes before it is used up; 0 means for ever.
    """

    match: str
    contains: str = ""
    kind: Literal["status", "partial", "drop_before", "drop_after"] = "status"
    status: int = Field(default=503, ge=400, le=599)
    retry_after: str = ""
    times: int = Field(default=1, ge=0)


class Lab(_Section):
    """The tenant in the box."""

    data: str = ""
    url: Address = ""
    logs_latency: Duration = parse_duration("0s")
    graph_latency: Duration = parse_duration("0s")
    arm_latency: Duration = parse_duration("0s")
    row_limit: int = Field(default=500_000, ge=1)
    queries_per_30s: int = Field(default=200, ge=1)
    concurrent_queries: int = Field(default=5, ge=1)
    identity_protection_per_s: int = Field(default=0, ge=0)
    basic_tables: tuple[str, ...] = ()
    absent_columns: tuple[str, ...] = ()
    withheld_permissions: tuple[str, ...] = ()
    client_permissions: dict[str, tuple[str, ...]] = {}
    client_certificates: tuple[str, ...] = ()
    app_roles: dict[str, tuple[str, ...]] = {}
    faults: tuple[LabFault, ...] = ()


class Settings(BaseSettings):
    """Everything in `respond.toml`, with the environment on top."""

    model_config = SettingsConfigDict(
        env_prefix="RESPOND_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    tenant: Tenant = Tenant()
    state: State = State()
    hunt: Hunt = Hunt()
    evidence: Evidence = Evidence()
    sources: Sources = Sources()
    retry: Retry = Retry()
    pace: Pace = Pace()
    serve: Serve = Serve()
    webhook: Webhook = Webhook()
    schedule: Schedule = Schedule()
    sentinel: Sentinel = Sentinel()
    tickets: Tickets = Tickets()
    notices: Notices = Notices()
    lab: Lab = Lab()

    @field_validator("*", mode="before")
    @classmethod
    def _sections_are_tables(cls, value: object) -> object:
        if not isinstance(value, dict | BaseModel):
            raise ValueError("a section is a table of keys, such as [tenant]")  # noqa: TRY004 - pydantic wants it
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings' signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings

    @property
    def is_lab(self) -> bool:
        return self.tenant.mode is TenantMode.LAB


class _Laid(Settings):
    """Settings that have been read and laid over each other already, the environment among them."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings' signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


LAB_TENANT_ID = "f0a1c2d3-1111-4222-8333-944445555666"
LAB_WORKSPACE_ID = "1ab00000-0000-4000-8000-000000000001"
LAB_SUBSCRIPTION_ID = "1ab00000-0000-4000-8000-000000000003"
LAB_WORKSPACE = (
    f"/subscriptions/{LAB_SUBSCRIPTION_ID}/resourceGroups/respond-lab"
    "/providers/Microsoft.OperationalInsights/workspaces/respond-lab-sentinel"
)
"""Resource id of the lab's workspace."""


_OTHER_VARIABLES = frozenset({"RESPOND_CONFIG", "RESPOND_DEBUG", tenants.VARIABLE, secret_files.VARIABLE})
_CONFIG_FILES = ("respond.toml", "policy.toml", "apps.toml", "networks.toml", "lures.toml")


def config_dir(given: str | None) -> Path:
    """The directory that holds `respond.toml`: given, `$RESPOND_CONFIG`, `./config`, or the shipped copy.

    Raises:
        UsageError: the named directory does not exist.
    """
    for source, name in (("--config", given), ("RESPOND_CONFIG", os.environ.get("RESPOND_CONFIG"))):
        if name:
            if not Path(name).is_dir():
                raise UsageError(f"{source}: {name} is not a directory; name the one that holds respond.toml")
            if not any((Path(name) / file).is_file() for file in _CONFIG_FILES):
                raise UsageError(f"{source}: {name} holds none of {', '.join(_CONFIG_FILES)}")
            return Path(name)
    here = Path("config")
    return here if (here / "respond.toml").is_file() else shipped_config()


def shipped_config() -> Path:
    """The copy inside the wheel, or the repository's own folder when installed for editing."""
    packaged = Path(__file__).parent / "shipped_config"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "config"


def read_toml(path: Path) -> dict[str, Any]:
    """One TOML file.

    Raises:
        UsageError: unreadable or malformed; says where.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist; copy it from the shipped configuration") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from error


def load_settings(directory: Path) -> Settings:
    """Read `respond.toml` and the environment: of the tenant that `$RESPOND_TENANT` names, where there are several.

    Raises:
        UsageError: names the key that is unknown or has the wrong type, and where it came from.
    """
    path, values, named = _read(directory)
    name = tenants.chosen()
    if named:
        tenants.check_known(name, named)
        return _laid(directory, values, named)[name]
    if name:
        raise UsageError(
            f"{tenants.VARIABLE}: write RESPOND_<SECTION>__<KEY>, with two underscores between them; there is no "
            f"[tenants.{name}] that it could mean, as {path} has one tenant only"
        )
    try:
        return Settings(**values)
    except ValidationError as error:
        raise UsageError(_explain(error, path)) from error
    except ValueError as error:  # pydantic-settings: a list in the environment that is not JSON
        raise UsageError(f"environment: {_not_json(error)}") from error


def load_tenants(directory: Path) -> dict[str, Settings]:
    """The settings of every tenant, by name; empty where there are no `[tenants]`.

    Raises:
        UsageError: as `load_settings`, or two tenants share what has to be apart.
    """
    _, values, named = _read(directory)
    return _laid(directory, values, named, whole=True) if named else {}


def _read(directory: Path) -> tuple[Path, dict[str, Any], dict[str, dict[str, Any]]]:
    """The file: where it is, what it says, and what it says of each tenant."""
    path = directory / "respond.toml"
    values = secret_files.laid_over(read_toml(path) if path.is_file() else {})
    named = tenants.sections(values, path)
    _check_environment(named)
    return path, values, named


def _laid(
    directory: Path, common: dict[str, Any], named: dict[str, dict[str, Any]], *, whole: bool = False
) -> dict[str, Settings]:
    """What is said of all tenants, and over it what is said of each: by name.

    Args:
        whole: all of them, not the chosen one alone. A process that works for one tenant does not see what the
            environment says of others, and a mistake about them is not its own.
    """
    path = directory / "respond.toml"
    common = tenants.laid_over(common, _environment("RESPOND_"))
    own = {name: tenants.laid_over(said, _environment(tenants.prefix(name))) for name, said in named.items()}
    tenants.check_common(common)
    tenants.check_folders(directory, named)
    base = _state_base()
    laid = {
        name: tenants.with_own_state(name, tenants.laid_over(common, said), common, base) for name, said in own.items()
    }
    tenants.check_apart(laid)
    tenants.check_identity(laid, os.environ)
    wanted = [name for name in named if whole or name == tenants.chosen()]
    for name in wanted:
        tenants.check_whole(name, laid[name])
    return {name: _checked(name, laid[name], own[name], path) for name in wanted}


def _checked(name: str, values: dict[str, Any], own: dict[str, Any], path: Path) -> Settings:
    try:
        return _Laid(**values)
    except ValidationError as error:
        raise UsageError(_explain(error, path, tenant=name, own=own)) from error


def _environment(prefix: str) -> dict[str, Any]:
    """What variables that begin so say, by section."""
    source = _EnvironmentOf(Settings, env_prefix=prefix, env_nested_delimiter="__")
    try:
        return source()
    except ValueError as error:
        raise UsageError(f"environment: {_not_json(error)}") from error


class _EnvironmentOf(EnvSettingsSource):
    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - pydantic-settings' signature
        super().__init__(*arguments, **named)
        # the name of a tenant, and not the whole section [tenant] as JSON
        self.env_vars = {key: value for key, value in self.env_vars.items() if key != tenants.VARIABLE.lower()}


def _check_environment(named: Iterable[str] = ()) -> None:
    for name in os.environ:
        if not name.startswith("RESPOND_") or name in _OTHER_VARIABLES:
            continue
        rest = name.removeprefix("RESPOND_")
        if name.startswith(tenants.PREFIX):
            whose = next((tenant for tenant in named if name.startswith(tenants.prefix(tenant))), None)
            if whose is None:
                told = ", ".join(sorted(named)) or "none"
                raise UsageError(f"{name}: is about none of [tenants]; those of the file: {told}")
            rest = name.removeprefix(tenants.prefix(whose))
        section, found, _ = rest.partition("__")
        if not found:
            raise UsageError(f"{name}: write RESPOND_<SECTION>__<KEY>, with two underscores between them")
        if section.lower() not in Settings.model_fields:
            sections = ", ".join(Settings.model_fields)
            raise UsageError(f"{name}: there is no section [{section.lower()}]; sections: {sections}")


def _not_json(error: ValueError) -> str:
    """Which variable it was; pydantic-settings names the section alone."""
    text = error.__cause__.doc if isinstance(error.__cause__, json.JSONDecodeError) else None
    found = sorted(name for name, value in os.environ.items() if name.startswith("RESPOND_") and value == text)
    return f'{found[0]}: is not JSON; a list is written ["a", "b"]' if found else str(error)


def _explain(error: ValidationError, path: Path, *, tenant: str = "", own: dict[str, Any] | None = None) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    parts = tuple(str(part) for part in first["loc"])
    key, prefix, of = ".".join(parts), "RESPOND_", ""
    if tenant and _holds(own or {}, first["loc"]):
        prefix, of = tenants.prefix(tenant), f"tenants.{tenant}."
    # A list or a table is one variable, and the mistake may lie within.
    names = (prefix + "__".join(parts[:length]).upper() for length in range(len(parts), 1, -1))
    variable = next((name for name in names if name in os.environ), "")
    given = secret_files.given(tuple(f"{of}{key}".split(".")), path)
    where = f"environment {variable}" if variable else str(given)
    what = _unknown(first["loc"]) if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
    return f"{where}: {of}{key}: {what}"


def _holds(values: dict[str, Any], place: tuple[int | str, ...]) -> bool:
    """Whether a tenant's own values say something there, as far as they are tables."""
    found: object = values
    for part in place:
        if not isinstance(found, dict):
            return True
        if part not in found:
            return False
        found = found[part]
    return True


def _unknown(place: tuple[int | str, ...]) -> str:
    """What to write instead of a key that nobody knows: the most alike, or one of all."""
    known = list(_keys(Settings, place[:-1]))
    alike = difflib.get_close_matches(str(place[-1]), known, n=1)
    other = f"did you mean {alike[0]}?" if alike else f"known: {', '.join(known)}" if known else "take it out"
    return f"is not a known key; {other}"


def _keys(model: type[BaseModel], place: tuple[int | str, ...]) -> Iterator[str]:
    """The keys of the section at a place; none where there is no such section."""
    for part in place:
        field = model.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            return
        model = field.annotation
    yield from (field.alias or name for name, field in model.model_fields.items())


def tenant_of(settings: Settings) -> str:
    """What cases, brakes and the audit log know the tenant by: its id, or `lab`.

    Raises:
        UsageError: a real tenant without an id.
    """
    if not settings.is_lab and not settings.tenant.tenant_id:
        raise UsageError("tenant.tenant_id is empty: azure mode needs tenant.tenant_id and tenant.workspace_id")
    return "lab" if settings.is_lab else settings.tenant.tenant_id


def state_dir(settings: Settings) -> Path:
    """Where files beside the state database go: the lab's tenant, ticket pages, process locks."""
    if settings.state.dir:
        return Path(settings.state.dir)
    url = settings.state.url.get_secret_value()
    if url.startswith("sqlite:///"):
        return Path(url.removeprefix("sqlite:///")).parent
    return _state_base()


def _state_base() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "respond"


def state_url(settings: Settings) -> str:
    """The database of cases, tickets and runs; a SQLite file in the state directory unless set.

    Raises:
        UsageError: neither `sqlite:///PATH` nor `postgresql://…`.
    """
    url = settings.state.url.get_secret_value()
    if not url:
        return f"sqlite:///{state_dir(settings) / 'respond.db'}"
    if not url.startswith(("sqlite:///", "postgresql://")) or url in ("sqlite:///", "sqlite:///:memory:"):
        raise UsageError("state.url: write sqlite:///PATH or postgresql://USER@HOST/DATABASE")
    return url
