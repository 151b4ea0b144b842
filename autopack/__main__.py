"""The way in. It knows what each kind of start may cost, and nothing about verbs.

Imports happen where they are first needed: `--version` answers from the bare interpreter, `validate` of plain paths
without the command line library, and only the other verbs pay for all of it.
"""

import gc
import os
import sys

import autopack

READER_LEFT = 141  # what shells report of a program that SIGPIPE ended, as in `autopack plan x | head`


def main(argv: list[str] | None = None) -> int:
    """Answer one command line and return its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        code = _answer(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
        if argv is None and arguments[:1] == ["validate"]:
            os._exit(code)  # taking a checked project apart again takes 5 ms, and nobody waits for anything in it
    except KeyboardInterrupt:
        from autopack.views import exits  # noqa: PLC0415  the table is nothing `--version` has time for

        return exits.INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return READER_LEFT
    except Exception as error:  # noqa: BLE001 # why: the last frame; a bug gets its own exit code and one line
        return _internal_error(error)
    return code


def _answer(arguments: list[str]) -> int:
    if arguments in (["--version"], ["-V"]):
        print(f"autopack {autopack.__version__}")
        return 0
    if arguments[:1] == ["validate"] and (asked := _plain_validation(arguments[1:])) is not None:
        gc.disable()  # nothing of a check is garbage before its end, and looking for it costs as much as finding faults
        from autopack.views import check  # noqa: PLC0415  all of `validate` but click

        return check.run(*asked)
    from autopack.views import cli  # noqa: PLC0415  click, and what the verb needs

    return cli.main(arguments)


def _plain_validation(arguments: list[str]) -> tuple[list[str], str | None, bool | None] | None:
    """Paths, format and colour, where nothing else was asked for; None leaves the line to the full parser."""
    paths: list[str] = []
    form = colour = None
    words = iter(arguments)
    for word in words:
        if word == "--format" and (form := next(words, None)):
            continue
        if word.startswith("--format="):
            form = word.removeprefix("--format=")
        elif word == "--no-color":
            colour = False
        elif word != "-" and word.startswith("-"):
            return None
        else:
            paths.append(word)
    return paths, form, colour


def _forget_stdout() -> None:
    """What is still buffered can't be delivered: without this the interpreter would complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _internal_error(error: Exception) -> int:
    if os.environ.get("AUTOPACK_DEBUG"):
        sys.excepthook(type(error), error, error.__traceback__)
    else:
        said = " ".join(str(error).split())
        print(
            f"autopack: internal error: {type(error).__name__}: {said}. This is a bug; run the same command with "
            "AUTOPACK_DEBUG=1 to see where.",
            file=sys.stderr,
        )
    from autopack.views import exits  # noqa: PLC0415  see above

    return exits.INTERNAL


if __name__ == "__main__":
    sys.exit(main())
