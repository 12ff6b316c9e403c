"""`python -m bench`: measure everything and print one table; exit 1 when a goal is missed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable
from statistics import median

from rich.console import Console
from rich.table import Table

from bench import crowds
from bench.command import ROOT, USER, Product, RunFailedError, last_line
from bench.figures import Goal, Measured
from bench.memory import PROC

_LONG = 900.0  # seconds until a measurement counts as hung
_WIDE = 160  # columns of the table where nobody watches


def _module(*arguments: str) -> dict[str, list[float]]:
    """The raw figures of a measurement that needs a process of its own."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=_LONG,
        )
    except subprocess.CalledProcessError as error:
        raise RunFailedError(f"exit {error.returncode}: {last_line(error.stderr)}") from error
    except subprocess.TimeoutExpired as error:
        raise RunFailedError(f"still running after {_LONG:.0f} s") from error
    raw: dict[str, list[float]] = json.loads(last_line(done.stdout))
    return raw


def start_up(product: Product) -> Measured:
    """Seconds until `respond --help` has answered."""
    product.seconds("--help")  # byte code and the disk's cache
    return Measured(tuple(product.seconds("--help") for _ in range(7)))


def cold_response(product: Product) -> Measured:
    """Seconds for one whole response in the lab, with nothing running before and no state."""
    return Measured(tuple(product.seconds("--user", USER, "--json") for _ in range(5)))


def warm_response(_: Product) -> Measured:
    """Processor time that one response costs a process that already runs."""
    raw = _module("bench.warm")
    return Measured(tuple(raw["cpu_ms"]), f"{median(raw['wall_ms']):.0f} ms on the clock; lab in another process")


def peak_memory(product: Product) -> Measured:
    """Most memory held at once during the demo, lab included."""
    if not (PROC / "self" / "stat").exists():
        return Measured(note="needs /proc")
    peaks = [product.peak("--user", USER) for _ in range(3)]
    kinds = "/".join(sorted({peak.kind for peak in peaks}))
    processes = max(peak.processes for peak in peaks)
    return Measured(tuple(peak.megabytes for peak in peaks), f"{kinds}, at most {processes} processes at once")


def early_action(_: Product) -> Measured:
    """Time until the revocation is sent, over that of the hunt and one Graph call; services as slow as real ones."""
    raw = _module("bench.early")
    raw |= _module("bench.early", "late")
    floor = median(raw["floor_ms"])
    told = ", ".join(
        f"{name} {median(raw[key]):.0f} ms ({median(raw[key]) / floor:.2f} x)"
        for name, key in (
            ("early", "early_ms"),
            ("with all evidence first", "late_ms"),
            ("in sequence", "sequential_ms"),
        )
    )
    return Measured(tuple(ms / floor for ms in raw["early_ms"]), f"floor {floor:.0f} ms; {told}")


def flooded_token(_: Product) -> Measured:
    """Processor seconds of the decision on one token at 10,000 addresses; told: what it costs others."""
    raw = _module("bench.flood")
    by_rows = ", ".join(f"{seconds:.2f}" for seconds in raw["decide"])
    alone, crowd = median(raw["alone"]), median(raw["beside"])
    note = (
        f"{by_rows} s for an eighth, a quarter, a half and all of the rows, {raw['crowded'][0]:.2f} s with as much "
        f"evidence; contained in {raw['flood'][0]:.1f} s; others answered in {crowd:.2f} s beside it, {alone:.2f} alone"
    )
    return Measured((raw["decide"][-1],), note)


def hunt_queries(_: Product) -> Measured:
    """Queries of `respond hunt` over 1,000 users with device code sign-ins."""
    made = crowds.run(crowds.HUNT, "hunt")
    note = f"{made.seconds:.1f} s, {made.megabytes:.0f} MB with the lab, which loaded in {made.loading:.1f} s"
    return Measured((float(str(made.answer["queries"])),), note)


def backtest_seconds(_: Product) -> Measured:
    """Seconds of `respond backtest` over 1,000,000 sign-ins in the lab."""
    made = crowds.run(crowds.BACKTEST, "backtest", "--since", "30d")
    rows = float(str(made.answer["log_rows"]))
    note = (
        f"{rows:,.0f} rows, {rows / made.seconds:,.0f} a second; {made.megabytes:.0f} MB at most with the lab "
        f"(goal 2000), which loaded in {made.loading:.0f} s"
    )
    return Measured((made.seconds,), note)


def _shares(seconds: list[float]) -> str:
    ranked = sorted(seconds)
    half, most = (ranked[min(int(len(ranked) * share), len(ranked) - 1)] * 1000 for share in (0.5, 0.99))
    return f"p50 {half:.0f} ms, p99 {most:.0f} ms"


def accepted_deliveries(_: Product) -> Measured:
    """Milliseconds until a delivery has its 202, the median; on SQLite, and told on PostgreSQL."""
    told, medians = [], []
    for database in ("sqlite", "postgresql"):
        raw = _module("bench.service", "deliveries", database)
        rate = len(raw["seconds"]) / raw["elapsed"][0]
        told.append(f"{database}: {rate:.0f} a second, {_shares(raw['seconds'])}")
        medians.append(median(raw["seconds"]) * 1000)
    return Measured((medians[0],), f"8 connections, each delivery a new incident; {'; '.join(told)}")


def webhook_to_revoke(_: Product) -> Measured:
    """Milliseconds from the delivery to the revocation, p95; nothing else to do, no latency in the lab."""
    told, worst = [], []
    for database in ("sqlite", "postgresql"):
        ranked = sorted(_module("bench.service", "revoke", database)["seconds"])
        worst.append(ranked[int(len(ranked) * 0.95)] * 1000)
        told.append(f"{database}: median {median(ranked) * 1000:.0f} ms, p95 {worst[-1]:.0f} ms")
    return Measured((worst[0],), "; ".join(told))


def two_workers(_: Product) -> Measured:
    """Time a case with two workers over that with one: goals are upper bounds."""
    raw = _module("bench.service", "workers", "postgresql")
    one, two = raw["one"][0], raw["two"][0]
    return Measured((one / two,), f"one {one:.2f}, two {two:.2f} cases a second: {two / one:.2f} x (goal 1.7)")


def flat_memory(_: Product) -> Measured:
    """Growth of the service's memory from the first fifth of the cases to the last."""
    sizes = _module("bench.service", "memory", "sqlite")["megabytes"]
    told = ", ".join(f"{size:.0f}" for size in sizes)
    return Measured((sizes[-1] - sizes[1],), f"MB after each tenth of 500 cases: {told}")


def beside_trouble(_: Product) -> Measured:
    """Time to contain of one tenant beside another that is throttled, or broken, over that beside an idle one."""
    raw = _module("bench.tenants")
    alone = median(raw["alone"])
    told = "; ".join(
        f"{name}: median {median(raw[name]) * 1000:.0f} ms, the other used {raw[f'{name}_share'][0]:.0%} of a core"
        for name in ("alone", "throttled", "broken")
    )
    note = f"{told}; front {raw['front_mb'][0]:.0f} MB, {raw['tenant_mb'][0]:.0f} MB more for each tenant"
    return Measured((max(median(raw[name]) / alone for name in ("throttled", "broken")),), note)


MEASUREMENTS: dict[str, tuple[Goal, Callable[[Product], Measured]]] = {
    "start-up": (Goal("respond --help", 0.25, "s"), start_up),
    "cold": (Goal("cold response, lab included", 4, "s"), cold_response),
    "warm": (Goal("warm response, processor time", 250, "ms"), warm_response),
    "memory": (Goal("peak memory of the demo", 350, "MB"), peak_memory),
    "early": (Goal("revocation sent, against the floor", 1.25, "x"), early_action),
    "flood": (Goal("one token at 10,000 addresses, decided", 1, "s"), flooded_token),
    "hunt": (Goal("queries of a hunt over 1,000 users", 15.5, ""), hunt_queries),
    "backtest": (Goal("backtest over 1,000,000 sign-ins", 60, "s"), backtest_seconds),
    "deliveries": (Goal("a delivery acknowledged, median", 100, "ms"), accepted_deliveries),
    "revoke": (Goal("webhook to revocation, p95", 300, "ms"), webhook_to_revoke),
    "workers": (Goal("time a case with 2 workers, against 1", 1 / 1.7, "x"), two_workers),
    "tenants": (Goal("time to contain beside a tenant in trouble, against alone", 1.25, "x"), beside_trouble),
    "flat": (Goal("memory gained from case 100 to 500", 20, "MB"), flat_memory),
}


def table(figures: dict[str, Measured]) -> Table:
    """One row a figure: median, range, goal and whether it is met."""
    result = Table(box=None, pad_edge=False)
    for title in ("figure", "runs", "median", "range", "goal", "met"):
        result.add_column(title, justify="left" if title in {"figure", "met"} else "right", no_wrap=True)
    for name, measured in figures.items():
        goal, _ = MEASUREMENTS[name]
        limit = f"< {goal.below:g} {goal.unit}"
        if not measured.values:
            result.add_row(goal.figure, "0", "-", "-", limit, "not measured")
            continue
        precise = ".2f" if goal.unit in {"s", "x"} else ".0f"
        result.add_row(
            goal.figure,
            str(len(measured.values)),
            f"{median(measured.values):{precise}} {goal.unit}",
            f"{min(measured.values):{precise}} - {max(measured.values):{precise}}",
            limit,
            "yes" if measured.meets(goal) else "no",
        )
    return result


def main() -> int:
    """Measure what was asked for, everything by default."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Speed and memory, each against its goal.")
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"of {', '.join(MEASUREMENTS)}; default: all")
    parser.add_argument("--command", help="measure this command instead of the installed respond")
    arguments = parser.parse_args()
    if unknown := set(arguments.figures) - set(MEASUREMENTS):
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    product = Product(tuple(shlex.split(arguments.command))) if arguments.command else Product()

    progress = Console(stderr=True)
    measured: dict[str, Measured] = {}
    for name in arguments.figures or MEASUREMENTS:
        with progress.status(f"measuring {name}"):
            try:
                measured[name] = MEASUREMENTS[name][1](product)
            except RunFailedError as error:
                measured[name] = Measured(note=str(error))
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    console.print(f"Python {platform.python_version()}, {machine}")
    console.print(table(measured))
    for name, value in measured.items():
        if value.note:
            console.print(
                f"{MEASUREMENTS[name][0].figure}: {value.note}", markup=False, highlight=False, soft_wrap=True
            )
    return 0 if all(value.meets(MEASUREMENTS[name][0]) for name, value in measured.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
