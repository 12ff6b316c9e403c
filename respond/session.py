"""One process at work: settings read, lab started, state opened, engine running. Triggers open a session and run."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

from respond.errors import RespondError, RunFailed, StateAway, UsageError
from respond.models.policy import Policy
from respond.plain_errors import file_error, is_database_error, state_error
from respond.policies import load_policy
from respond.settings import Settings, TicketsIn, load_settings, state_dir, state_url, tenant_of

if TYPE_CHECKING:
    from respond.clients.connect import Clients, Connections
    from respond.durable import Engine
    from respond.lab.child import ChildLab
    from respond.liveness import Liveness
    from respond.models.case import Case
    from respond.models.intake import Delivery
    from respond.models.orders import Order
    from respond.models.owed import Owed
    from respond.models.report import Attached, Report
    from respond.store.cases import Store


_FINISHES = ("device_code_phishing", "carry_out", "take_back_case")


@dataclass(frozen=True)
class Session:
    """What a trigger works with."""

    settings: Settings
    policy: Policy
    engine: Engine
    store: Store
    connections: Connections

    @property
    def lab_url(self) -> str | None:
        """Where the lab answers; None for a real tenant."""
        return self.connections.lab_url

    @property
    def tenant(self) -> str:
        return tenant_of(self.settings)

    def now(self) -> datetime:
        """The time that windows of queries go by: that of the services, as far as it is known."""
        return self.connections.clock.now()

    async def respond_to(self, who: str, *, since: timedelta | None, dry_run: bool) -> Report:
        """Answer for one user, or join the run that already does.

        Raises:
            RespondError: what stopped the run.
        """
        from playbooks.device_code_phishing import device_code_phishing
        from respond.models.report import Attached

        while True:
            case = self.case(who, since=since, dry_run=dry_run)
            await self.engine.start(device_code_phishing, case.run, case)
            answer = await self.engine.wait(case.run)
            if not isinstance(answer, Attached):
                return cast("Report", answer)
            other = await self._other_run(answer)
            if other is not None:
                return other

    async def order(self, order: Order, *, undo: bool = False, dry_run: bool = False) -> Report:
        """Carry out what a person has ordered.

        Raises:
            RespondError: what stopped the run; another one is at work on the case.
        """
        from playbooks.carry_out import carry_out
        from playbooks.take_back_case import take_back_case
        from respond.models.report import Attached

        while True:
            case = self.case_again(order.report, run=str(uuid.uuid4()), dry_run=dry_run)
            await self.engine.start(take_back_case if undo else carry_out, case.run, case, order)
            answer = await self.engine.wait(case.run)
            if not isinstance(answer, Attached):
                return cast("Report", answer)
            if not await asyncio.to_thread(self.engine.is_over, answer.run):
                raise RunFailed(f"{answer.case}: another run is at work on it (respond show {answer.case}); try again")
            self.store.release(case=answer.case, run=answer.run)  # it ended without letting go of the case

    def case_again(self, report: Report, *, run: str, dry_run: bool = False, watch: int = 0) -> Case:
        """The case of a report, for a further run about it.

        Args:
            watch: number of the look after a containment: that one hunts anew, up to now.
        """
        from respond.models.case import Mode, Window

        now = self.now()
        about = self._about_nobody(run, report.window.start, now if watch else report.window.end)
        start = max(report.window.start, now - self.policy.usual.history) if watch else report.window.start
        return about.model_copy(
            update={
                "id": "" if watch else report.case,
                "mode": Mode.DRY_RUN if dry_run else Mode.LIVE,
                "who": report.user.id,
                "started": datetime.now(UTC),
                "window": Window(start=start, end=about.window.end),
                "watch": watch,
            }
        )

    async def waiting_live_runs(self) -> int:
        """Unfinished live runs of this tenant, which a dry run leaves alone."""
        return await self.engine.waiting(_realm(self.settings, dry_run=False))

    async def finish_interrupted(self) -> list[Report | RespondError]:
        """See to an end what a dead process left behind."""
        return [await self._ended(run) for run in await self.engine.unfinished()]

    async def _ended(self, run: str) -> Report | RespondError:
        try:
            return cast("Report", await self.engine.result(run))
        except RespondError as error:
            return error

    async def _other_run(self, attached: Attached) -> Report | None:
        """The report of the run that holds our case, or None when it failed and the case is free again."""
        try:
            return cast("Report", await self.engine.result(attached.run))
        except RespondError:
            self.store.release(case=attached.case, run=attached.run)
            return None

    def case_of(self, delivery: Delivery, *, run: str, before: timedelta) -> Case:
        """The case that a delivery is answered under: about nobody until the users are known.

        Args:
            before: how long before the time of its alerts the hunt begins; it looks at least as far back as ever.
        """
        from respond.models.intake import Replies

        now = self.now()
        begin = min(now - self.settings.hunt.since, (delivery.notice.window_start or now) - before)
        start = max(begin, now - self.policy.usual.history)
        replies = Replies.model_validate(self.settings.sentinel.model_dump())
        # By this machine's clock, as all that is measured against it.
        started = delivery.at - self.connections.clock.skew
        return self._about_nobody(run, start, now).model_copy(update={"started": started, "replies": replies})

    def case_owed(self, work: Owed, *, run: str) -> Case:
        """The case that owed work is done under; about nobody, because no sign-in is looked at."""
        report = self.store.live(work.case)
        now = self.now()
        case = self.case_again(report, run=run) if report else self._about_nobody(run, now, now)
        return case.model_copy(update={"id": work.case, "who": ""})

    def case_about_nobody(self, *, since: timedelta) -> Case:
        """A case for looking over the tenant."""
        now = self.now()
        return self._about_nobody(str(uuid.uuid4()), now - since, now)

    def _about_nobody(self, run: str, start: datetime, now: datetime) -> Case:
        from respond.models.case import Case, Mode, Window

        return Case(
            run=run,
            mode=Mode.LIVE,
            tenant=self.tenant,
            who="",
            window=Window(start=start, end=now),
            started=datetime.now(UTC),
            policy=self.policy,
            act_early=self.settings.hunt.act_early,
            notifies=self.settings.notices.is_on,
        )

    def case(self, who: str, *, since: timedelta | None, dry_run: bool) -> Case:
        from respond.models.case import Case, Mode, Window
        from respond.models.intake import Sighting, Trigger

        now, run = self.now(), str(uuid.uuid4())
        return Case(
            run=run,
            mode=Mode.DRY_RUN if dry_run else Mode.LIVE,
            tenant=self.tenant,
            who=who,
            window=Window(start=now - (since or self.settings.hunt.since), end=now),
            started=datetime.now(UTC),
            policy=self.policy,
            act_early=self.settings.hunt.act_early,
            notifies=self.settings.notices.is_on,
            sightings=(Sighting(path=Trigger.COMMAND, ref=run, at=now),),
        )


@asynccontextmanager
async def open_clients(config: Path) -> AsyncIterator[Clients]:
    """Clients that can only read, without state or engine.

    Raises:
        UsageError: a setting or the lab's data is wrong.
    """
    async with open_connections(load_settings(config), config) as connections:
        yield connections.clients(read_only=True)


@asynccontextmanager
async def open_connections(settings: Settings, config: Path) -> AsyncIterator[Connections]:
    """The services of the tenant, without state or engine.

    Raises:
        UsageError: a setting or the lab's data is wrong.
    """
    _check_tenant(settings)
    async with AsyncExitStack() as stack:
        lab = _start_lab(settings, config, stack)
        from respond.clients.connect import Connections

        connections = Connections(settings, lab.url if lab else settings.lab.url or None)
        stack.push_async_callback(connections.close)
        yield connections


@dataclass(frozen=True)
class Survey:
    """What a look over the tenant works with: the actions that read, and no engine, because nothing has to survive."""

    settings: Settings
    policy: Policy
    clients: Clients
    now: Callable[[], datetime]

    def case(self, since: timedelta) -> Case:
        """A case about nobody in particular, which changes nothing."""
        from respond.models.case import Case, Mode, Window

        now = self.now()
        return Case(
            run=str(uuid.uuid4()),
            mode=Mode.DRY_RUN,
            tenant=tenant_of(self.settings),
            who="",
            window=Window(start=now - since, end=now),
            started=now,
            policy=self.policy,
        )

    @property
    def queries(self) -> int:
        """How many questions went to the workspace and to Defender."""
        return self.clients.logs.queries + self.clients.graph.hunts


@asynccontextmanager
async def open_survey(config: Path) -> AsyncIterator[Survey]:
    """Clients that can only read, and the actions that use them.

    Raises:
        UsageError: a setting, the policy or the lab's data is wrong.
    """
    settings, policy = load_settings(config), load_policy(config)
    _check_tenant(settings)
    async with AsyncExitStack() as stack:
        lab = _start_lab(settings, config, stack)
        from respond import step
        from respond.clients.connect import Connections
        from respond.store.cases import Store
        from respond.templates import load_templates

        templates = load_templates(config)
        store = Store(state_url(settings))
        stack.callback(store.close)
        connections = Connections(settings, lab.url if lab else settings.lab.url or None)
        stack.push_async_callback(connections.close)
        step.install(step.Process(settings, connections, store, templates=templates))
        await connections.learn_time()
        yield Survey(settings, policy, connections.clients(read_only=True), connections.clock.now)


@asynccontextmanager
async def open_session(
    config: Path,
    *,
    dry_run: bool = False,
    serves: bool = False,
    watches: bool = False,
    starting: Callable[[], None] = lambda: None,
) -> AsyncIterator[Session]:
    """Everything a trigger needs, closed again at the end.

    Args:
        dry_run: finish no interrupted live run: that could write.
        serves: take runs from the queue and all of those of dead processes. Otherwise it is one command, which finishes
            interrupted runs about users.
        watches: a command that also goes on with looks after a containment.
        starting: called when the settings and the state have been found good, before any run is taken up.

    Raises:
        UsageError: a setting, the policy or the lab's data is wrong.
    """
    settings = load_settings(config)
    policy = load_policy(config).model_copy(update={"response_mode": settings.response_mode})
    _check_tenant(settings)
    async with AsyncExitStack() as stack:
        lab = _start_lab(settings, config, stack)
        # The heavy imports come after the lab's start, so that both load at the same time. The playbooks are registered
        # before the engine recovers runs of theirs.
        import playbooks.answer_delivery
        import playbooks.carry_out
        import playbooks.make_up
        import playbooks.take_back_case
        import playbooks.try_again
        import playbooks.watch_case  # noqa: F401
        from respond import step
        from respond.clients.connect import Connections
        from respond.durable import Engine
        from respond.store.cases import Store
        from respond.templates import load_templates

        templates = load_templates(config)
        url = state_url(settings)
        store = Store(url)
        stack.callback(store.close)
        engine = Engine(
            url,
            _liveness(settings, store),
            realm=_realm(settings, dry_run=dry_run),
            finishes=(*_FINISHES, "watch_case", "try_again", "make_up") if watches else _FINISHES,
            from_queue=settings.serve.runs_at_once if serves else 0,
        )
        stack.push_async_callback(asyncio.to_thread, engine.close)
        connections = Connections(
            settings,
            lab.url if lab else settings.lab.url or None,
            frozen=lambda: store.brakes.frozen(tenant_of(settings)),
        )
        step.install(step.Process(settings, connections, store, engine, templates))
        # Closed first: recovered runs have theirs on the engine's own event loop.
        stack.push_async_callback(connections.close)
        starting()
        try:
            await asyncio.to_thread(engine.launch)
        except Exception as error:
            if is_database_error(error):
                raise state_error(error) from error
            raise
        if not (serves or dry_run):
            # A service does it in each of its turns; where there is none, nobody else would.
            await asyncio.to_thread(engine.abandon)
        yield Session(settings, policy, engine, store, connections)


def _liveness(settings: Settings, store: Store) -> Liveness:
    from respond.liveness import Beats, Locks

    if state_url(settings).startswith("sqlite"):
        folder = state_dir(settings) / "processes"
        try:
            return Locks(folder)
        except OSError as error:
            raise file_error(f"state.dir: {folder} cannot be written", error, passing=StateAway) from error
    return Beats(store.database, settings.serve.beat)


def _start_lab(settings: Settings, config: Path, stack: AsyncExitStack) -> ChildLab | None:
    """The lab in the box, unless the tenant is real or a lab runs already."""
    if not settings.is_lab or settings.lab.url:
        return None
    from respond.lab.child import ChildLab

    return stack.enter_context(ChildLab(config))


def _realm(settings: Settings, *, dry_run: bool) -> str:
    return f"{tenant_of(settings).lower()}/{'dry-run' if dry_run else 'live'}"


def _check_tenant(settings: Settings) -> None:
    tenant = settings.tenant
    missing = [key for key in ("tenant_id", "workspace_id") if not getattr(tenant, key)]
    if not settings.is_lab and missing:
        raise UsageError(f"tenant.{missing[0]} is empty: azure mode needs tenant.tenant_id and tenant.workspace_id")
    incidents = settings.tickets.system is TicketsIn.SENTINEL
    if not settings.is_lab and incidents and not tenant.workspace_resource_id:
        raise UsageError('tenant.workspace_resource_id is empty; tickets.system = "sentinel" needs it')
