"""Where the tenant, the state and the lab are: `respond.toml` and `RESPOND_<SECTION>__<KEY>`.

The directory is the first of `--config DIR`, `$RESPOND_CONFIG`, `./config` and the shipped copy. An unknown key
or a wrong type is a `UsageError` that names the key. The environment outranks the file.
"""

from respond.settings.base import Address as Address
from respond.settings.base import MailAddress as MailAddress
from respond.settings.base import SecretAddress as SecretAddress
from respond.settings.base import WorkspaceId as WorkspaceId
from respond.settings.base import is_loopback_http as is_loopback_http
from respond.settings.lab import LAB_SUBSCRIPTION_ID as LAB_SUBSCRIPTION_ID
from respond.settings.lab import LAB_TENANT_ID as LAB_TENANT_ID
from respond.settings.lab import LAB_WORKSPACE as LAB_WORKSPACE
from respond.settings.lab import LAB_WORKSPACE_ID as LAB_WORKSPACE_ID
from respond.settings.lab import Lab as Lab
from respond.settings.lab import LabFault as LabFault
from respond.settings.loading import load_settings as load_settings
from respond.settings.loading import load_tenants as load_tenants
from respond.settings.places import config_dir as config_dir
from respond.settings.places import read_toml as read_toml
from respond.settings.places import shipped_config as shipped_config
from respond.settings.places import state_dir as state_dir
from respond.settings.places import state_url as state_url
from respond.settings.places import tenant_of as tenant_of
from respond.settings.places import tickets_dir as tickets_dir
from respond.settings.service import Schedule as Schedule
from respond.settings.service import Sentinel as Sentinel
from respond.settings.service import Serve as Serve
from respond.settings.service import Webhook as Webhook
from respond.settings.tenant import Cloud as Cloud
from respond.settings.tenant import Identity as Identity
from respond.settings.tenant import IdentityKind as IdentityKind
from respond.settings.tenant import Tenant as Tenant
from respond.settings.tenant import TenantMode as TenantMode
from respond.settings.tickets import GitHub as GitHub
from respond.settings.tickets import Jira as Jira
from respond.settings.tickets import Mail as Mail
from respond.settings.tickets import NoticeOn as NoticeOn
from respond.settings.tickets import Notices as Notices
from respond.settings.tickets import ServiceNow as ServiceNow
from respond.settings.tickets import Tickets as Tickets
from respond.settings.tickets import TicketsIn as TicketsIn
from respond.settings.whole import Settings as Settings
from respond.settings.work import EVIDENCE_ACTIONS as EVIDENCE_ACTIONS
from respond.settings.work import Evidence as Evidence
from respond.settings.work import Hunt as Hunt
from respond.settings.work import Pace as Pace
from respond.settings.work import Place as Place
from respond.settings.work import Response as Response
from respond.settings.work import Retry as Retry
from respond.settings.work import Sources as Sources
from respond.settings.work import State as State
