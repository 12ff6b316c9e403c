"""Microsoft's clouds: where their services answer, who issues their tokens, and what is not there.

    https://learn.microsoft.com/graph/deployments
    https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
    https://learn.microsoft.com/azure/azure-monitor/logs/api/access-api

An endpoint that the settings name wins over that of the cloud.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from respond.clients.guard import Check
from respond.errors import Permanent
from respond.settings import Cloud, Settings


@dataclass(frozen=True)
class Endpoints:
    """One cloud, or one tenant's share of it.

    Attributes:
        issuers: of access tokens of version 1 and 2, with `{tenant}` in them.
        lacks: Graph paths that do not exist there, with what they are called.
    """

    graph: str
    logs: str
    arm: str
    authority: str
    issuers: tuple[str, ...]
    lacks: tuple[tuple[str, str], ...] = ()


_RISK = (r"/v1\.0/identityProtection(/.*)?", "Identity Protection")
_HUNTING = (r"/v1\.0/security/(microsoft\.graph\.security\.)?runHuntingQuery", "Defender advanced hunting")
_US_LOGIN = "https://login.microsoftonline.us"

CLOUDS: Mapping[Cloud, Endpoints] = {
    Cloud.PUBLIC: Endpoints(
        graph="https://graph.microsoft.com",
        logs="https://api.loganalytics.io",
        arm="https://management.azure.com",
        authority="https://login.microsoftonline.com",
        issuers=("https://sts.windows.net/{tenant}/", "https://login.microsoftonline.com/{tenant}/v2.0"),
    ),
    Cloud.USGOV: Endpoints(
        graph="https://graph.microsoft.us",
        logs="https://api.loganalytics.us",
        arm="https://management.usgovcloudapi.net",
        authority=_US_LOGIN,
        issuers=("https://sts.windows.net/{tenant}/", f"{_US_LOGIN}/{{tenant}}/v2.0"),
    ),
    Cloud.USGOV_DOD: Endpoints(
        graph="https://dod-graph.microsoft.us",
        logs="https://api.loganalytics.us",
        arm="https://management.usgovcloudapi.net",
        authority=_US_LOGIN,
        issuers=("https://sts.windows.net/{tenant}/", f"{_US_LOGIN}/{{tenant}}/v2.0"),
    ),
    Cloud.CHINA: Endpoints(
        graph="https://microsoftgraph.chinacloudapi.cn",
        logs="https://api.loganalytics.azure.cn",
        arm="https://management.chinacloudapi.cn",
        authority="https://login.chinacloudapi.cn",
        issuers=(
            "https://sts.chinacloudapi.cn/{tenant}/",
            "https://login.partner.microsoftonline.cn/{tenant}/v2.0",
            "https://login.chinacloudapi.cn/{tenant}/v2.0",
        ),
        lacks=(_RISK, _HUNTING),
    ),
}


def cloud_of(settings: Settings) -> Endpoints:
    """The cloud that the settings name, as Microsoft runs it."""
    return CLOUDS[settings.tenant.cloud]


def graph_endpoint(settings: Settings, lab_url: str | None) -> str:
    """Scheme and host of Microsoft Graph."""
    return settings.tenant.graph_endpoint or lab_url or cloud_of(settings).graph


def logs_endpoint(settings: Settings, lab_url: str | None) -> str:
    """Scheme and host of the Log Analytics query API."""
    return settings.tenant.logs_endpoint or lab_url or cloud_of(settings).logs


def arm_endpoint(settings: Settings, lab_url: str | None) -> str:
    """Scheme and host of Azure Resource Manager."""
    return settings.tenant.arm_endpoint or lab_url or cloud_of(settings).arm


def authority(settings: Settings, lab_url: str | None) -> str:
    """Where tokens are issued, without a slash at the end."""
    return (settings.tenant.authority or lab_url or cloud_of(settings).authority).rstrip("/")


def unless_absent(settings: Settings, check: Check) -> Check:
    """Also refuse what the cloud does not have, before it is sent: the service would say it in other words every time.

    Raises:
        Permanent: names what is not there; evidence that wanted it is a gap.
    """
    lacks = cloud_of(settings).lacks

    def checked(method: str, url: str) -> None:
        path = unquote(urlsplit(url).path)
        for form, name in lacks:
            if re.fullmatch(form, path, re.IGNORECASE):
                raise Permanent(f'{name} does not exist in tenant.cloud = "{settings.tenant.cloud}"; it was not asked')
        check(method, url)

    return checked if lacks else check
