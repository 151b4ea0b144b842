"""A step of the whole driver against a step of LangGraph, both durable in SQLite, in turn, at the same setting.

LangGraph is not installed with the project: `make peers` gives it an environment of its own, and `AUTOPACK_PEERS` may
name another interpreter that has it. Its graph is one node that goes round; ours is one phase after the other, and a
step is an event. Without LangGraph the figure that was recorded stands for it, as a multiple of `import yaml`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import Row, at_least
from benchmarks.driver import SIZES, Hands, driven, wide

CHECKOUT = Path(__file__).parent.parent
PEERS = (CHECKOUT / ".venv-peers" / "bin" / "python", CHECKOUT / ".venv-peers" / "Scripts" / "python.exe")
STEPS, ROUNDS = 300, 3
FLOOR = 7
RECORDED = {"NORMAL": 0.025, "FULL": 0.05}  # x `import yaml`, a step

LANGGRAPH = """\
import json, os, sqlite3, sys, tempfile, time
from typing import TypedDict
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph

class State(TypedDict):
    number: int

synchronous, steps = sys.argv[1], int(sys.argv[2])
graph = StateGraph(State)
graph.add_node("step", lambda state: {"number": state["number"] + 1})
graph.add_edge(START, "step")
graph.add_conditional_edges("step", lambda state: END if state["number"] >= steps else "step")
with tempfile.TemporaryDirectory() as folder:
    connection = sqlite3.connect(os.path.join(folder, "store.db"), check_same_thread=False)
    saver = SqliteSaver(connection)
    saver.setup()
    connection.execute(f"PRAGMA synchronous={synchronous}")
    compiled = graph.compile(checkpointer=saver)
    asked = {"configurable": {"thread_id": "bench"}, "recursion_limit": steps + 10}
    began = time.perf_counter()
    compiled.invoke({"number": 0}, asked, durability="sync")
    print(json.dumps((time.perf_counter() - began) * 1000 / steps))
    connection.close()
"""


def rows() -> Iterator[Row]:
    """How many times longer LangGraph's step takes than an event of ours."""
    python = _peer()
    for synchronous in ("NORMAL", "FULL"):
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(driven(wide(SIZES[0]), synchronous, Hands()).ms_an_event)
            theirs.append(_recorded(synchronous) if python is None else _langgraph(python, synchronous))
        our_ms, their_ms = statistics.median(ours), statistics.median(theirs)
        source = "LangGraph + SQLite" if python else "LangGraph + SQLite (recorded, x import yaml)"
        measured = f"{their_ms:.2f} ms / {our_ms:.3f} ms"
        yield at_least(
            "running", f"{source}, a step / an event of ours, {synchronous}", measured, their_ms / our_ms, FLOOR
        )


def _peer() -> str | None:
    """An interpreter that has LangGraph."""
    asked = os.environ.get("AUTOPACK_PEERS")
    for python in [asked] if asked else [str(path) for path in PEERS if path.exists()]:
        probe = subprocess.run([python, "-c", "import langgraph.checkpoint.sqlite"], check=False, capture_output=True)
        if probe.returncode == 0:
            return python
    return None


def _langgraph(python: str, synchronous: str) -> float:
    argv = [python, "-c", LANGGRAPH, synchronous, str(STEPS)]
    ms: float = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    return ms


def _recorded(synchronous: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import yaml"], check=True)
    return (time.perf_counter() - began) * 1000 * RECORDED[synchronous]
