"""Who does the work of a phase: what each kind of Builder has to say, and what it may."""

from autopack.spec.rules.written import Found, Names, Written

_OF_COMMANDS = ("run", "timeout_s", "env_pass", "tokens")
_OF_OTHERS = {"model": _OF_COMMANDS, "external": ("run", "env_pass", "tokens")}
"""What each other kind has no use for; a client is waited for as long as `timeout_s`, too."""


def builders(written: Written, _names: Names) -> Found:
    for steps, phase in written.phases():
        if not (builder := phase.get("builder")):
            continue
        kind, place = builder.get("kind"), (*steps, "builder")
        if kind == "command" and "run" not in builder:
            advice = "add `run: [program, argument]`"
            yield written.at((*place, "kind"), "AP3040", "a command has to say what to run", advice)
        for key in _OF_OTHERS.get(kind, ()):
            if builder.get(key) is not None:
                message = f"`{key}` is for `kind: command`, this is `kind: {kind}`"
                yield written.at_key((*place, key), "AP3040", message, "take it out, or make it `kind: command`")
