"""Every rung by its name: an explicit mapping, so that what can write is read in one place."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from actions.confirm_sign_ins import confirm_sign_ins
from actions.confirm_user import confirm_user
from actions.delete_device import delete_device
from actions.disable_account import disable_account
from actions.disable_application import disable_application
from actions.disable_device import disable_device
from actions.disable_rule import disable_rule
from actions.remove_grant import remove_grant
from actions.remove_method import remove_method
from actions.remove_role import remove_role
from actions.remove_secret import remove_secret
from actions.revoke_sessions import revoke_sessions
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.ladder import Rung, Step, Word
from respond.models.report import Change

RUNGS: dict[Rung, Callable[..., Coroutine[Any, Any, Change]]] = {
    Rung.DISABLE_DEVICE: disable_device,
    Rung.REVOKE_SESSIONS: revoke_sessions,
    Rung.CONFIRM_USER: confirm_user,
    Rung.CONFIRM_SIGN_INS: confirm_sign_ins,
    Rung.REMOVE_METHOD: remove_method,
    Rung.REMOVE_GRANT: remove_grant,
    Rung.DISABLE_RULE: disable_rule,
    Rung.DELETE_DEVICE: delete_device,
    Rung.DISABLE_APPLICATION: disable_application,
    Rung.REMOVE_SECRET: remove_secret,
    Rung.REMOVE_ROLE: remove_role,
    Rung.DISABLE_ACCOUNT: disable_account,
}


async def climb(case: Case, account: Account, step: Step, word: Word) -> Change:
    """Carry out one step, as far as the word goes."""
    return await RUNGS[step.rung](case, account=account, step=step, word=word)
