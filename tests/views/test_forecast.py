"""`plan --forecast`: the plan played many times in virtual time, with chances that are stated or learnt."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from autopack.plan.calibration import PRIOR, Calibration, Observation, fold
from autopack.plan.model import Plan, PlanRun
from autopack.views import forecast as views
from autopack.views.forecast import Forecast, forecast
from tests.end_to_end.scratch import PATIENCE_S, eventually
from tests.run.story import phase, plan

HELLO = Path(__file__).parents[2] / "examples" / "hello"


def told(**changes: object) -> Plan:
    return plan(phase("a"), phase("b", auto_apply=False, needs=("a",)), **changes)


def learnt(**changes: object) -> Calibration:
    """A hundred phases of this slice that cost and failed alike."""
    seen = Observation(
        phase_id="a",
        category="feature_scaffolding",
        complexity="medium",
        model="small",
        model_tier="economy",
        predicted_usd=Decimal(1),
        actual_usd=Decimal(1),
        builder_calls=1,
        edit_failed=0,
        ci_runs=1,
        ci_red=0,
        audits=1,
        rejected=0,
        input_tokens=2_000,
        output_tokens=1_000,
        model_s=10.0,
        ci_s=30.0,
        completed=True,
    )
    fields = {name: changes.get(name, getattr(seen, name)) for name in Observation.__dataclass_fields__}
    return fold(Calibration(), [Observation(**fields)] * 1_000)  # type: ignore[arg-type]


def test_equal_seeds_give_equal_forecasts_and_others_do_not() -> None:
    first, again, other = forecast(told(), None, 200, 1), forecast(told(), None, 200, 1), forecast(told(), None, 200, 2)
    assert first == again
    assert first.samples != other.samples


def test_processes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = forecast(told(), None, 1_000, 7)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert forecast(told(), None, 1_000, 7) == shared


def test_where_no_process_can_be_made_this_one_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_given: object, **_more: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(views, "ProcessPoolExecutor", refused)
    assert len(forecast(told(), None, 1_000, 7).samples) == 1_000


def test_what_runs_have_taught_decides_the_chances() -> None:
    good, bad = forecast(told(), learnt(), 300, 1), forecast(told(), learnt(ci_red=1), 300, 1)
    assert good.success > 0.97
    assert bad.success < 0.03
    assert bad.reasons().keys() == {"ci_red"}
    assert (good.observed, forecast(told(), None, 1, 1).observed) == (1_000, 0)


def test_time_is_that_of_a_run_with_its_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six phases of a call of 5 s and CI of 30 s each, one after the other, all at once, or waiting for a provider."""
    monkeypatch.setattr("autopack.runners.dice.SPREAD", 1e-9)
    several = [phase(name) for name in "abcdef"]
    pools = {"CallModel": 6, "RunCi": 6, "AssembleContext": 6, "provider:replay": 6}
    in_a_row = forecast(plan(*several, pools=pools | {"phase": 1}), learnt(), 20, 1)
    at_once = forecast(plan(*several, pools=pools | {"phase": 6}), learnt(), 20, 1)
    one_provider = forecast(plan(*several, pools=pools | {"phase": 6, "provider:replay": 1}), learnt(), 20, 1)
    assert _median_s(in_a_row) == pytest.approx(210, rel=0.1)
    assert _median_s(at_once) < 200  # each that lands late is carried over and tested again
    assert _median_s(one_provider) > _median_s(at_once)


def _median_s(found: Forecast) -> float:
    median: float = found.quantile(0.5, lambda sample: sample.elapsed_s)
    return median


def test_the_parts_of_the_cost_add_up_to_the_whole() -> None:
    found = forecast(told(), None, 200, 3)
    whole = found.mean(lambda sample: sample.cost_usd)
    for of in views._SPLITS.values():
        assert sum(found.shares(of).values()) == pytest.approx(whole)
    assert found.shares(lambda sample: sample.by_cause)["repairs"] > 0


def test_no_sample_passes_a_cap() -> None:
    caps = told().caps
    tight = told(caps=type(caps)(30_000, caps.phases, caps.minutes, caps.minor_issues, Decimal("0.03")))
    found = forecast(tight, learnt(input_tokens=9_000, edit_failed=1), 300, 1)
    assert max(sample.tokens for sample in found.samples) <= 30_000
    assert max(sample.cost_usd for sample in found.samples) <= Decimal("0.03")
    assert "token_cap" in found.reasons() or "cost_cap" in found.reasons()


def test_half_of_the_runs_stay_at_or_below_the_median() -> None:
    found = Forecast(told(), 1, 0, tuple(_costing(usd) for usd in (5, 1, 4, 2, 3)))
    assert [found.quantile(share, lambda s: s.cost_usd) for share in (0.2, 0.5, 0.9, 1.0)] == [1, 3, 5, 5]


def _costing(usd: int) -> views.Sample:
    return views.Sample(None, Decimal(usd), 0, 0.0, {}, {}, {})


def test_people_get_bars_and_programs_json() -> None:
    command = [sys.executable, "-m", "autopack", "plan", str(HELLO / "playbooks/languages.yaml"), "--forecast"]
    asked = [*command, "--samples", "100", "--seed", "5"]
    screen = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert screen.stderr == ""
    head = screen.stdout.splitlines()[0]
    assert head == "Forecast for playbook languages: 100 runs, seed 5; chances: stated priors"
    document = json.loads(subprocess.run([*asked, "--json"], capture_output=True, text=True, check=True).stdout)
    assert document["success"] + sum(document["failures"].values()) == pytest.approx(1)
    assert document["cost_usd"].keys() == {"p50", "p90", "mean"}


def test_the_prior_is_the_one_that_the_plan_states() -> None:
    """The scripted answers of a rehearsal are billed as the prior says."""
    assert (PRIOR.input_tokens, PRIOR.output_tokens) == (6_000, 1_500)


def in_turn(**changes: object) -> Plan:
    """Two phases, each in a run of its own with caps of its own."""
    whole = told(**changes)
    runs = tuple(
        PlanRun((name,), (replace(whole.tiers[0], phases=(name,)),), whole.caps, whole.phase(name).worst)
        for name in "ab"
    )
    return replace(whole, runs=runs)


def test_several_runs_are_played_one_after_the_other() -> None:
    """A run that fails ends the series: what would have come is not paid for."""
    certain = learnt(input_tokens=6_000)
    one, both = forecast(told(), certain, 50, 1), forecast(in_turn(), certain, 50, 1)
    assert both.success > 0.5
    assert both.mean(lambda s: s.cost_usd) == pytest.approx(one.mean(lambda s: s.cost_usd), rel=Decimal("0.3"))
    assert "50 series of 2 runs, seed 1" in views.screen(both)
    lost = forecast(in_turn(), learnt(edit_failed=1), 50, 1)
    assert lost.success < 0.1
    first_fails = [sample for sample in lost.samples if sample.reason]
    assert all(sample.by_phase["b"] == 0 for sample in first_fails if sample.by_phase["a"] and not sample.by_phase["b"])
    assert any(sample.by_phase["b"] == 0 for sample in first_fails)


def test_each_run_of_a_series_has_its_own_caps() -> None:
    caps = replace(told().caps, phases=1)
    assert forecast(in_turn(caps=caps), learnt(), 50, 1).success > 0.5


def test_what_nobody_can_bound_is_said_in_words() -> None:
    found = told()
    worst = replace(found.worst, cost_usd=None)
    unbounded = replace(found, worst=worst, phases=tuple(replace(each, worst=worst) for each in found.phases))
    screen = views.screen(forecast(unbounded, None, 20, 1))
    assert "UNBOUNDED: what some of it costs nobody knows" in screen
    assert views.document(forecast(unbounded, None, 20, 1))["worst"]["cost_usd"] is None


def _at_work(pid: int) -> list[str]:
    """The processes of a pool, once each has played for a tenth of a second: none is being made any more."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    spent = [int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11]) for child in children]
    return children if len(children) == os.cpu_count() and min(spent) >= os.sysconf("SC_CLK_TCK") / 10 else []


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor plays alone")
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks Linux for the children of a process")
def test_an_interrupt_ends_a_forecast_with_its_processes() -> None:
    words = ["plan", str(HELLO / "playbooks/languages.yaml"), "--forecast", "--samples", "900000"]
    argv = [sys.executable, "-m", "autopack", *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        try:
            started = eventually(lambda: _at_work(process.pid), "workers")
            os.killpg(process.pid, signal.SIGINT)
            out, _ = process.communicate(timeout=PATIENCE_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert (process.returncode, out) == (130, b"")
    assert not any(Path(f"/proc/{pid}/exe").exists() for pid in started)
