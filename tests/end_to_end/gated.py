"""A run that can be met in the middle: its CI waits for the test."""

from pathlib import Path

from tests.end_to_end.scratch import eventually, hello, quick_ci


class Gated:
    """The example with a CI that stands still in the second phase, until the gate is opened.

    A `deaf` step hears no request to end.
    """

    def __init__(self, folder: Path, *, deaf: bool = False) -> None:
        self.gate, self.pid_file = folder / "gate", folder / "ci.pid"
        self.gate.touch()
        script = (
            "import os, pathlib, signal, time\n"
            f"if {deaf}: signal.signal(signal.SIGTERM, signal.SIG_IGN), signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
            f"gate, pid = pathlib.Path({str(self.gate)!r}), pathlib.Path({str(self.pid_file)!r})\n"
            "if 'phrasebook' in pathlib.Path('src/hello/greeting.py').read_text():\n"
            "    new = pid.with_suffix(f'.{os.getpid()}')\n"
            "    new.write_text(str(os.getpid()))\n"
            "    new.rename(pid)\n"
            "    while gate.exists(): time.sleep(0.02)\n"
        )
        self.project = hello(folder, {"ci.yaml": quick_ci("python", "-S", "-c", script)})

    def ci(self) -> int:
        """The pid of the CI step that waits."""
        eventually(self.pid_file.exists, "CI to start")
        pid = int(self.pid_file.read_text())
        self.pid_file.unlink()
        return pid

    def open(self) -> None:
        self.gate.unlink()

    def landed(self) -> list[str]:
        return [self.project.trailers(commit)["Autopack-Phase"] for commit in self.project.commits("one")]
