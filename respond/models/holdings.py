"""What an account has: devices, authentication methods, consents, inbox rules. As Microsoft Graph lists it now."""

from __future__ import annotations

from respond.models.base import Gap, Model, Utc

DEVICES, METHODS, CONSENTS, RULES = "devices", "authentication methods", "consents", "inbox rules"
APPLICATIONS, ROLES = "applications", "role assignments"
"""What a gap is named after where one of these could not be read."""
SOURCES = frozenset({DEVICES, METHODS, CONSENTS, RULES, APPLICATIONS, ROLES})


class Device(Model):
    """A device that the user registered or owns.

    Attributes:
        id: object id, which is what a write is addressed to.
        device_id: what tokens and sign-in logs call it.
    """

    id: str
    device_id: str
    name: str
    enabled: bool | None
    registered: Utc | None
    system: str = ""


class Devices(Model):
    devices: tuple[Device, ...] = ()
    gaps: tuple[Gap, ...] = ()


class Method(Model):
    """A way to authenticate; passwords are none that is added.

    Attributes:
        type: `@odata.type` without `#microsoft.graph.`, such as `phoneAuthenticationMethod`.
        created: None where Graph does not say, as of phones.
    """

    id: str
    type: str
    label: str
    created: Utc | None


class Grant(Model):
    """What the user let an application do in their name; Graph keeps no time for it.

    Attributes:
        everyone: an administrator gave it for the whole tenant.
        principal: user that it holds for; empty where it holds for everyone.
    """

    id: str
    client: str
    resource: str
    scope: str
    everyone: bool = False
    principal: str = ""


class Rule(Model):
    """An inbox rule; Graph keeps no time for it, and does not list hidden ones."""

    id: str
    name: str
    enabled: bool
    read_only: bool = False


class Key(Model):
    """A secret or a certificate of an application; Graph shows neither's value.

    Attributes:
        holder: `applications/{object id}` or `servicePrincipals/{object id}`, whose key it is.
        is_secret: a secret, which can be removed without proof of another key.
    """

    id: str
    label: str
    holder: str
    is_secret: bool
    start: Utc | None


class Application(Model):
    """An application as it stands in this tenant.

    Attributes:
        ids: every id that it goes by, in lower case: of the service principal, of the application, its client id.
        principal: object id of the service principal; empty where there is none.
    """

    ids: tuple[str, ...]
    principal: str
    name: str
    enabled: bool | None
    keys: tuple[Key, ...] = ()


class Assignment(Model):
    """A directory role that somebody or something holds now.

    Attributes:
        role: id of the role's definition; for a built-in role, of its template.
        scope: `/` for the whole tenant.
    """

    id: str
    principal: str
    role: str
    scope: str


class Added(Model):
    """What the logs name by its id, asked for by that id.

    Attributes:
        gone: ids that Microsoft Graph says do not exist, in lower case.
        ungranted: service principals that exist and have no consent of the user's or the tenant's, in lower case.
        grants: of the applications among them, given for the user or for the whole tenant.
    """

    devices: tuple[Device, ...] = ()
    applications: tuple[Application, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    grants: tuple[Grant, ...] = ()
    gone: tuple[str, ...] = ()
    ungranted: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()


class Access(Model):
    """What was, perhaps, added to stay."""

    methods: tuple[Method, ...] = ()
    grants: tuple[Grant, ...] = ()
    rules: tuple[Rule, ...] = ()
    gaps: tuple[Gap, ...] = ()
