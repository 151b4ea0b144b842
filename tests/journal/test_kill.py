"""kill -9 between any two statements leaves a store that holds all that was acknowledged, and nothing by halves."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import autopack
from autopack.journal.store import open_store

KILLS = 20
ENV = os.environ | {"PYTHONPATH": str(Path(autopack.__file__).parents[1])}

DRIVERS = """
import json, os, random, signal, sys, time
from decimal import Decimal
from autopack.journal.rows import Intent
from autopack.journal.store import open_store

def drive(location, pipe):
    with open_store(location, create=False) as store, store.writer("r1") as writer:
        number = store.run("r1").last_seq
        while True:
            number += 1
            blob = writer.put_blob(b"patch %d" % number)
            wish = Intent(f"k{number}", "CallModel", {}, "t", 10, Decimal("0.5"))
            writer.append([("Counted", {"number": number, "blob": blob}, 1.0)], [wish], {"n": number})
            os.write(pipe, b"a%d " % number)
            writer.reply(f"k{number}", {"text": str(number)})
            os.write(pipe, b"r%d " % number)

def acknowledged(first, pipe):
    with os.fdopen(pipe, "rb") as stream:
        return (first + stream.read()).decode().split()

location, kills = sys.argv[1], int(sys.argv[2])
for _ in range(kills):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        drive(location, writing)
    os.close(writing)
    first = os.read(reading, 1)  # it has appended once: however slow the machine, each round gets somewhere
    time.sleep(random.uniform(0, 0.05))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(json.dumps(acknowledged(first, reading)), flush=True)
    with open_store(location, create=False) as store:
        events = list(store.events("r1"))
        calls = store.calls("r1")
        print(json.dumps({
            "numbers": [event.body["number"] for event in events],
            "blobs": [store.blob(event.body["blob"]).decode() for event in events],
            "intents": sorted(store.intents("r1")),
            "replies": [call.reply["text"] for call in calls.values() if call.reply],
            "reserved": len(calls),
            "summary": store.run("r1").summary,
        }), flush=True)
"""


def test_twenty_drivers_killed_at_random_moments_lose_nothing_they_acknowledged(sqlite_path: Path):
    location = sqlite_path.with_name("killed.sqlite")
    with open_store(location, create=True) as store:
        store.create_run(
            "r1", "shop-api", "{}", "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", at=1.0
        )
    rounds = _killed(location)
    assert len(rounds) == KILLS
    for acknowledged, kept in rounds:
        last = len(kept["numbers"])
        appended = [int(word[1:]) for word in acknowledged if word[0] == "a"]
        replied = {word[1:] for word in acknowledged if word[0] == "r"}
        assert kept["numbers"] == list(range(1, last + 1))
        assert last - 1 <= max(appended) <= last
        assert replied <= set(kept["replies"])
        assert kept["blobs"] == [f"patch {number}" for number in kept["numbers"]]
        assert kept["intents"] == sorted(f"k{number}" for number in kept["numbers"])
        assert kept["reserved"] == last
        assert kept["summary"] == {"n": last}
    assert len(rounds[-1][1]["numbers"]) >= KILLS


def _killed(location: Path) -> list[tuple[list[str], dict[str, Any]]]:
    """For each kill: what the driver had acknowledged, and what the store held afterwards."""
    argv = [sys.executable, "-c", DRIVERS, str(location), str(KILLS)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env=ENV, timeout=120)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return list(zip(lines[::2], lines[1::2], strict=True))


def test_a_child_that_outlives_its_driver_does_not_keep_the_run_locked(sqlite_path: Path):
    code = (
        "import os, signal, subprocess, sys; from autopack.journal.store import open_store\n"
        "store = open_store(sys.argv[1], create=False); writer = store.writer('r1')\n"
        "child = subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL)\n"
        "print(child.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    argv = [sys.executable, "-c", code, str(sqlite_path)]
    driver = subprocess.run(argv, check=False, stdout=subprocess.PIPE, text=True, env=ENV)
    child = int(driver.stdout)
    try:
        assert driver.returncode == -signal.SIGKILL
        with open_store(sqlite_path, create=False) as store, store.writer("r1") as writer:
            os.kill(child, 0)
            assert writer.append([("Resumed", {}, 1.0)])[0].seq == 6
    finally:
        os.kill(child, signal.SIGKILL)
