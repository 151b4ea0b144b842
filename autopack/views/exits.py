"""Exit codes, one table: the command line returns these and the reference page is made from it."""

OK, FINDINGS, USAGE, INTERNAL, BUDGET, STALE, ENVIRONMENT, INTERRUPTED, READER_LEFT = 0, 1, 2, 3, 5, 6, 7, 130, 141

MEANINGS = {
    OK: "ok",
    FINDINGS: "findings, or the run did not end in DONE_SUCCESS",
    USAGE: "usage or configuration",
    INTERNAL: "internal error",
    BUDGET: "stopped by a budget",
    STALE: "plan or lock out of date",
    ENVIRONMENT: "environment: git, CI tool or provider not usable",
    INTERRUPTED: "interrupted",
    READER_LEFT: "whoever read the output has left (as SIGPIPE would say)",
}


def of_run(state: str) -> int:
    """The exit code of a run that ended in `state`."""
    return {
        "DONE_SUCCESS": OK,
        "DONE_FAILED_BUDGET_EXHAUSTED": BUDGET,
        "DONE_FAILED_ENVIRONMENT": ENVIRONMENT,
    }.get(state, FINDINGS)
