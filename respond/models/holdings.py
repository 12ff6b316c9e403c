"""What an account has: devices, authentication methods, consents, inbox rules. As Microsoft Graph lists it now."""

from __future__ import annotations

from respond.models.base import Gap, Model, Utc

DEVICES, METHODS, CONSENTS, RULES = "devices", "authentication methods", "consents", "inbox rules"
"""What a gap is named after where one of these could not be read."""
SOURCES = frozenset({DEVICES, METHODS, CONSENTS, RULES})


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
    """What the user let an application do in their name; Graph keeps no time for it."""

    id: str
    client: str
    resource: str
    scope: str


class Rule(Model):
    """An inbox rule; Graph keeps no time for it, and does not list hidden ones."""

    id: str
    name: str
    enabled: bool


class Access(Model):
    """What was, perhaps, added to stay."""

    methods: tuple[Method, ...] = ()
    grants: tuple[Grant, ...] = ()
    rules: tuple[Rule, ...] = ()
    gaps: tuple[Gap, ...] = ()
