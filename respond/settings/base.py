"""What settings are made of: a section, and texts of a certain form."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def is_loopback_http(url: str) -> bool:
    """Whether this is plain http to this machine: the only way a token may travel without TLS."""
    return re.match(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/|$)", url) is not None


def is_address(value: str) -> str:
    """The value, where it is an address that a token may be sent to."""
    if value and not (is_loopback_http(value) or re.fullmatch(r"https://[^/\s]+(/\S*)?", value)):
        raise ValueError(
            "is not an https:// URL (http:// is for this machine only); write https://HOST, or leave it empty"
        )
    return value


Address = Annotated[str, AfterValidator(is_address)]
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


MailAddress = Annotated[str, Field(pattern=r"^([^@\s<>]+@[^@\s<>]+)?$")]


def _is_secret_address(value: SecretStr) -> SecretStr:
    is_address(value.get_secret_value())
    return value


SecretAddress = Annotated[SecretStr, AfterValidator(_is_secret_address)]
"""A URL that whoever knows it may post to, or empty for none."""
