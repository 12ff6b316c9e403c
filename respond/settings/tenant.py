"""Which tenant, in which cloud, and as whom: `[tenant]`."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from respond.settings.base import Address, Section, WorkspaceId


class TenantMode(StrEnum):
    LAB = "lab"
    AZURE = "azure"


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


class Identity(Section):
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


class Tenant(Section):
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
