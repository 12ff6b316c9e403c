"""The ladder of containment: what can be done, who says whether it is, and what one write needs to be done later."""

from __future__ import annotations

from respond.durations import PositiveDuration
from respond.models.base import Model, OpenEnum, Utc
from respond.models.brakes import Limits


class Rung(OpenEnum):
    """What can end something that an attacker holds; each is an action of that name."""

    DISABLE_DEVICE = "disable_device"
    REVOKE_SESSIONS = "revoke_sessions"
    CONFIRM_USER = "confirm_user"
    CONFIRM_SIGN_INS = "confirm_sign_ins"
    DELETE_DEVICE = "delete_device"
    REMOVE_METHOD = "remove_method"
    REMOVE_GRANT = "remove_grant"
    DISABLE_RULE = "disable_rule"
    DISABLE_APPLICATION = "disable_application"
    REMOVE_SECRET = "remove_secret"  # noqa: S105 - a name
    REMOVE_ROLE = "remove_role"
    DISABLE_ACCOUNT = "disable_account"


class May(OpenEnum):
    """Whether a rung is climbed: by itself, with a person's word, or not at all."""

    AUTO = "auto"
    ASK = "ask"
    NEVER = "never"


_STRICT = (May.AUTO, May.ASK, May.NEVER)


def stricter(*answers: May) -> May:
    """The strictest of several answers; one that a newer version wrote is stricter than those known here."""
    return max(answers, key=lambda answer: _STRICT.index(answer) if answer in _STRICT else len(_STRICT))


NOBODY = "nobody"
"""Who approves where a question times out and the policy takes that for a yes: no person, so the limits hold."""


class Word(Model):
    """What holds for one write, and why.

    Attributes:
        by: who approved it; empty where the policy alone decides. A person's word passes the limits, and counts.
    """

    may: May
    why: str = ""
    by: str = ""


class Step(Model):
    """One write that a case calls for, with everything that is needed to do it now or later.

    Attributes:
        object: id of what is changed: of the user, the device, the method, the grant, the rule, the application, the
            key, the role assignment.
        label: what people call it.
        kind: what else the endpoint depends on: the type of an authentication method, the application of a key, who
            has a role.
        why: what calls for it, in a sentence.
        after: of a revocation: issue time of the attacker's last token. A cut-off later than it is good enough.
        ids: of sign-ins, where it is about them.
        certain: whether the verdict that called for it was malicious.
        expects: how the object was when the plan was made, as the action writes it; a plan whose world has changed is
            not carried out.
    """

    rung: Rung
    object: str
    label: str
    kind: str = ""
    why: str
    after: Utc | None = None
    ids: tuple[str, ...] = ()
    certain: bool = False
    expects: str = ""


class Begun(Model):
    """What is kept of a write before it is sent: the step, and the run that began it."""

    run: str
    step: Step


class Rungs(Model):
    """An answer for every rung; those that a policy of an earlier version does not know are asked about."""

    disable_device: May
    revoke_sessions: May
    confirm_user: May
    confirm_sign_ins: May
    remove_method: May
    remove_grant: May
    disable_rule: May
    disable_account: May
    delete_device: May = May.ASK
    disable_application: May = May.ASK
    remove_secret: May = May.ASK
    remove_role: May = May.ASK

    def of(self, rung: Rung) -> May:
        answer: May = getattr(self, rung.value)
        return answer


class Survived(Model):
    """What is done beyond that when the attacker is still there after a containment."""

    disable_account: May


class Kinds(Model):
    """The strictest that holds for a kind of account, whatever the verdict."""

    member: May
    guest: May
    room: May
    service: May
    break_glass: May


class Protected(Model):
    """Accounts that nothing happens to without a person's word: by object id, by group, by directory role template."""

    accounts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()

    @property
    def needs_standing(self) -> bool:
        """Whether the directory has to be asked who is protected."""
        return bool(self.groups or self.roles)


class OnTimeout(OpenEnum):
    """What becomes of a question that nobody answers."""

    DENY = "deny"
    APPROVE = "approve"


class Approval(Model):
    timeout: PositiveDuration
    on_timeout: OnTimeout


class Ladder(Model):
    """What is done by itself, what asks, what never happens; and the brakes. Each is explained in `policy.toml`."""

    malicious: Rungs
    suspicious: Rungs
    survived: Survived
    kinds: Kinds
    protected: Protected = Protected()
    limits: Limits
    approval: Approval
    watch: tuple[PositiveDuration, ...]
    token_lives: PositiveDuration
    grace: PositiveDuration
