"""The command line: one file a verb, found by name and imported only when it is called."""

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

import autopack
from autopack.journal.errors import JournalError, RunExists, RunLocked, StoreMissing, StoreOutdated, UnknownRun
from autopack.spec.nearest import did_you_mean
from autopack.views import exits

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMPLETION = "_AUTOPACK_COMPLETE"

VERBS = {
    "init": "Write a project that validates; never overwrites.",
    "bootstrap": "Turn a description into documents and a playbook that validates.",
    "validate": "Check specs: every problem, at the exact token.",
    "fmt": "Rewrite specs in the canonical layout; comments stay, meaning stays.",
    "migrate": "Rewrite specs for the newest version of the language.",
    "show": "Show what holds for each phase, and which line decided it.",
    "plan": "Compile a playbook and show what would be done, by whom and for how much.",
    "rehearse": "Play scenarios with no model, and say what went another way than expected.",
    "ls": "List the phases of a playbook, or those that are selected.",
    "graph": "Draw a plan: Mermaid, Graphviz, JSON, SVG, or one page to look around in.",
    "diff": "Compare two plans, playbooks or revisions: authority, money, risk, order.",
    "lock": "Pin remote modules to a commit and to what they hold.",
    "run": "Run a playbook or a frozen plan to its end.",
    "resume": "Go on with a run whose driver was stopped.",
    "rerun": "Run again what failed or has changed; what still holds is taken over.",
    "cancel": "Stop a run; what has landed stays.",
    "runs": "List the runs of this project.",
    "status": "Show how a run stands.",
    "logs": "Show what happened in a run, event by event.",
    "issues": "List the issues of a run.",
    "backlog": "List the issues that outlived their runs.",
    "report": "Say what runs cost, and what came of it.",
    "verify": "Check the evidence of a run or of its branch again.",
    "promote": "Say whether a run may be promoted, or merge it.",
    "store": "Look after the store: upgrade, check, export, import.",
    "serve": "Serve the REST interface over this project's store.",
    "token": "Say who may use the REST interface, and for what.",
    "replay": "Make every decision of a run again from its record, offline, and compare.",
    "explain": "Say what a code means and why it matters.",
    "schema": "Print the JSON Schema of a kind.",
    "lsp": "Serve editors: findings, completion, hover, definitions, rename.",
}

BRIEF = frozenset({"plan", "diff", "graph", "ls", "show"})
"""Verbs that compile, answer and end."""


class Verbs(click.Group):
    """Loads `autopack.views.cli.<verb>_` when the verb is asked for, so that no verb pays for another one."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"autopack.views.cli.{cmd_name}_")
        command: click.Command = module.command
        if COMPLETION in os.environ:
            from autopack.views.cli import completing  # noqa: PLC0415  a shell asks, nobody else

            completing.attach(command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """From the table, too; click would import every verb."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415  a shell asks, nobody else

        verbs = [CompletionItem(verb, help=said) for verb, said in VERBS.items() if verb.startswith(incomplete)]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """An unknown verb gets the nearest known one."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            advice = did_you_mean(args[0], VERBS) or f"there are {', '.join(VERBS)}"
            raise click.UsageError(f"no verb is called {args[0]!r}; {advice}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """From the table: help for all verbs imports none of them."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Shell completion: eval "$(_AUTOPACK_COMPLETE=bash_source autopack)" (or zsh_source, fish_source).',
)
@click.version_option(autopack.__version__, "-V", "--version", message="autopack %(version)s")
def root() -> None:
    """Autonomous software builds as code: checked, priced before they run, and kept to what they may touch."""


def main(arguments: Sequence[str]) -> int:
    """Answer a command line and return its exit code (docs/reference/exit-codes.md)."""
    collecting = gc.isenabled()
    if arguments and arguments[0] in BRIEF:
        gc.disable()  # what a compile makes lives until the end: looking for garbage in it finds none
    try:
        return _invoked(list(arguments))
    except click.exceptions.Abort:
        return exits.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (RunExists, UnknownRun, StoreMissing, StoreOutdated, RunLocked) as error:
        return _said(error, exits.USAGE)
    except JournalError as error:
        return _said(error, exits.ENVIRONMENT)
    finally:
        if collecting:
            gc.enable()


def _invoked(arguments: list[str]) -> int:
    """Click's own `main` makes exit code 1, which means findings, of a closed pipe; so it only completes words."""
    if COMPLETION in os.environ:
        root.main(arguments, prog_name="autopack")
    try:
        with root.make_context("autopack", arguments) as context:
            result = root.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    return result if isinstance(result, int) else 0


def _said(error: Exception, code: int) -> int:
    print(f"autopack: {error}", file=sys.stderr)
    return code
