"""All sections together."""

from __future__ import annotations

from pydantic import BaseModel, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from respond.response_mode import ResponseMode
from respond.settings.lab import Lab
from respond.settings.service import Schedule, Sentinel, Serve, Webhook
from respond.settings.tenant import Tenant, TenantMode
from respond.settings.tickets import Notices, Tickets
from respond.settings.work import Evidence, Hunt, Pace, Response, Retry, Sources, State


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
    response: Response = Response()
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

    @property
    def response_mode(self) -> ResponseMode:
        """The mode in force: `response.mode`, or the default of the tenant's kind."""
        return self.response.mode or (ResponseMode.AUTO if self.is_lab else ResponseMode.ASK)


class Laid(Settings):
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
