"""Whose is a delivery? By its credential, where that says it, and else by the workspace that it is of.

A token names its tenant, and is good for that one only: it is passed on to it, whatever workspace the body names, and
that tenant's process checks both. A signature is held against the secret of the workspace's tenant, or, where the body
names no workspace, against everybody's. Without either, only tenants of the lab are reached, by workspace.

Nothing here tells a stranger which workspaces there are: one that is unknown is answered as a wrong credential is.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import jwt
from pydantic import SecretStr

from respond.errors import InvalidNotice
from respond.models.notice import Notice
from respond.settings import Settings
from respond.webhook.body import read_json
from respond.webhook.payload import read_notice
from respond.webhook.problems import NotAllowed, Problem, Unauthorized
from respond.webhook.signatures import CHALLENGE, SIGNATURE, SignatureCheck
from respond.webhook.tokens import tenant_id

_BEARER = 'Bearer realm="respond"'


@dataclass(frozen=True)
class Routes:
    """The tenants by what deliveries say of them; values are their names.

    Attributes:
        tokens: those that take tokens, by tenant id.
        signatures: those that take signatures, by name.
        open: names of those that take either from anybody: the lab, on this machine.
        workspaces: by workspace id.
        places: by resource id of the workspace.
        decoy: a check that nobody passes, for workspaces that are nobody's.
    """

    tokens: Mapping[str, str]
    signatures: Mapping[str, SignatureCheck]
    open: frozenset[str]
    workspaces: Mapping[str, str]
    places: Mapping[str, str]
    decoy: SignatureCheck

    @classmethod
    def of(cls, tenants: Mapping[str, Settings]) -> Routes:
        """Of these tenants, whose settings have been checked."""
        named = tenants.items()
        signed = {name: check for name, one in named if (check := SignatureCheck.of(one.webhook))}
        window = max((one.webhook.hmac_window for one in tenants.values()), default=None)
        assert window is not None  # noqa: S101 - there are tenants
        return cls(
            tokens={tenant_id(one): name for name, one in named if one.webhook.audience},
            signatures=signed,
            open=frozenset(name for name, one in named if not one.webhook.audience and name not in signed),
            workspaces={one.tenant.workspace_id.lower(): name for name, one in named},
            places={place: name for name, one in named if (place := one.tenant.workspace_resource_id.lower())},
            decoy=SignatureCheck(SecretStr(secrets.token_hex(32)), window),
        )

    def unread(self, headers: Mapping[str, str]) -> str | None:
        """Whose it is by its token, before its body is read; None when the body has to tell.

        Raises:
            Unauthorized: the token is no tenant's, or there is nothing to go by.
        """
        authorization = headers.get("authorization", "")
        if authorization and self.tokens:
            name = self.tokens.get(_claimed_tenant(authorization))
            if name is None:
                raise Unauthorized("the token is of no tenant that is answered for here", self._challenge())
            return name
        if not self.open and not (self.signatures and headers.get(SIGNATURE)):
            raise self._nothing_shown()
        return None

    def read(self, headers: Mapping[str, str], body: bytes) -> str:
        """Whose it is by its signature or its workspace.

        Raises:
            Unauthorized: no tenant's secret made the signature, or one is needed.
            NotAllowed: nobody's workspace, where nobody has to show anything.
            Problem: 400 or 422, no delivery or one that does not say whose it is, where nobody has to show anything.
        """
        if self.signatures and headers.get(SIGNATURE):
            return self._signed(headers, body)
        if self.signatures or self.tokens:
            told = self._told(_notice_if_any(headers, body))
            if told in self.open:
                return told
            raise self._nothing_shown()
        notice = _notice(headers, body)
        if told := self._told(notice) or ("" if notice.workspace_id else self._only_one):
            return told
        if notice.workspace_id:
            raise NotAllowed("the delivery is of another workspace than the ones that are answered for here")
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "the delivery does not say of which workspace it is")

    def _signed(self, headers: Mapping[str, str], body: bytes) -> str:
        notice = _notice_if_any(headers, body)
        told = self._told(notice)
        if not told and not (notice and notice.workspace_id):
            told = next((name for name, check in self.signatures.items() if _passes(check, headers, body)), "")
        self.signatures.get(told, self.decoy).check(headers, body)
        return told

    def _told(self, notice: Notice | None) -> str:
        """Whose the workspace is; empty where it is nobody's, or is not named."""
        if notice is None:
            return ""
        if notice.workspace_id:
            return self.workspaces.get(notice.workspace_id.lower(), "")
        return self.places.get(notice.incident_key.partition("/providers/microsoft.securityinsights/")[0], "")

    @property
    def _only_one(self) -> str:
        return next(iter(self.open)) if len(self.open) == 1 else ""

    def _nothing_shown(self) -> Unauthorized:
        return Unauthorized("the request shows neither a token nor a signature that is taken here", self._challenge())

    def _challenge(self) -> str:
        taken = {_BEARER: self.tokens, CHALLENGE: self.signatures}
        return ", ".join(name for name, by in taken.items() if by)


def _claimed_tenant(authorization: str) -> str:
    """The tenant that a token says it is of; nothing is proven. Empty for what is no token."""
    try:
        claims = jwt.decode(authorization.partition(" ")[2].strip(), options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        return ""
    return str(claims.get("tid", "")).lower()


def _notice(headers: Mapping[str, str], body: bytes) -> Notice:
    try:
        return read_notice(read_json(headers, body))
    except InvalidNotice as error:
        where = f"{error.where}: " if error.where else ""
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{where}{error.what}") from None


def _notice_if_any(headers: Mapping[str, str], body: bytes) -> Notice | None:
    """None where it says nothing that we understand: once its tenant is known, that one's process tells the sender."""
    try:
        return _notice(headers, body)
    except Problem:
        return None


def _passes(check: SignatureCheck, headers: Mapping[str, str], body: bytes) -> bool:
    try:
        check.check(headers, body)
    except Unauthorized:
        return False
    return True
