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

from bench.command import PATIENCE, ROOT, USER, Product, RunFailedError, last_line
from bench.figures import Goal, Measured
from bench.memory import PROC


def start_up(product: Product) -> Measured:
    """Seconds until `respond --help` has answered."""
    product.seconds("--help")  # byte code and the disk's cache
    return Measured(tuple(product.seconds("--help") for _ in range(7)))


def cold_response(product: Product) -> Measured:
    """Seconds for one whole response in the lab, with nothing running before and no state."""
    return Measured(tuple(product.seconds("--user", USER, "--json") for _ in range(5)))


def warm_response(_: Product) -> Measured:
    """Processor time that one response costs a process that already runs."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bench.warm"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
    except subprocess.CalledProcessError as error:
        raise RunFailedError(f"exit {error.returncode}: {last_line(error.stderr)}") from error
    except subprocess.TimeoutExpired as error:
        raise RunFailedError(f"still running after {PATIENCE:.0f} s") from error
    raw = json.loads(last_line(done.stdout))
    return Measured(tuple(raw["cpu_ms"]), f"{median(raw['wall_ms']):.0f} ms on the clock; lab in another process")


def peak_memory(product: Product) -> Measured:
    """Most memory held at once during the demo, lab included."""
    if not (PROC / "self" / "stat").exists():
        return Measured(note="needs /proc")
    peaks = [product.peak("--user", USER) for _ in range(3)]
    kinds = "/".join(sorted({peak.kind for peak in peaks}))
    processes = max(peak.processes for peak in peaks)
    return Measured(tuple(peak.megabytes for peak in peaks), f"{kinds}, at most {processes} processes at once")


MEASUREMENTS: dict[str, tuple[Goal, Callable[[Product], Measured]]] = {
    "start-up": (Goal("respond --help", 0.25, "s"), start_up),
    "cold": (Goal("cold response, lab included", 4, "s"), cold_response),
    "warm": (Goal("warm response, processor time", 250, "ms"), warm_response),
    "memory": (Goal("peak memory of the demo", 350, "MB"), peak_memory),
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
        precise = ".2f" if goal.unit == "s" else ".0f"
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
    console = Console()
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
