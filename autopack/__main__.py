"""The way in. It knows what each kind of start may cost, and nothing about verbs.

Imports happen where they are first needed: `--version` answers from the bare interpreter, `validate` of plain paths
without the command line library, and only the other verbs pay for all of it.
"""

import gc
import os
import sys

import autopack

TYPE_CHECKING = False  # typing's own would cost its import
if TYPE_CHECKING:
    from typing import Any

OUTPUT = ("-o", "--output")
READER_LEFT = 141  # what shells report of a program that SIGPIPE ended, as in `autopack plan x | head`


def main(argv: list[str] | None = None) -> int:
    """Answer one command line and return its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if None in (sys.stdin, sys.stdout, sys.stderr):
        _open_closed()
    ends_at_once = argv is None and arguments[:1] in (["validate"], ["plan"]) and "--forecast" not in arguments
    if ends_at_once:
        gc.disable()  # nothing is garbage before the end, and looking for it costs as much as finding faults
    try:
        code = _answer(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
        if ends_at_once:
            os._exit(code)  # taking a project apart again takes 5 ms, a plan more, and nobody waits for it
    except KeyboardInterrupt:
        from autopack.views import exits  # noqa: PLC0415  the table is nothing `--version` has time for

        return exits.INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return READER_LEFT
    except OSError as error:
        return _unusable(error)
    except Exception as error:  # noqa: BLE001 # why: the last frame; a bug gets its own exit code and one line
        return _internal_error(error)
    return code


def _answer(arguments: list[str]) -> int:
    if arguments in (["--version"], ["-V"]):
        print(f"autopack {autopack.__version__}")
        return 0
    if arguments[:1] == ["validate"] and (asked := _plain_validation(arguments[1:])) is not None:
        return _validated(arguments[1:], asked)
    if arguments[:1] == ["plan"] and (plainly := _plain_plan(arguments[1:])) is not None:
        from autopack.views import planning  # noqa: PLC0415

        if (code := planning.run(*plainly)) is not None:
            return code
    from autopack.views import cli  # noqa: PLC0415  click, and what the verb needs

    return cli.main(arguments)


def _validated(arguments: list[str], asked: "dict[str, Any]") -> int:
    """The answer that is kept, else a check: all of `validate` but click."""
    if kept := asked.pop("kept", True):
        from autopack.views import cached  # noqa: PLC0415  nothing of the language is imported for what is known

        if (answer := cached.recall(arguments)) is not None:
            sys.stdout.write(answer.text)
            return answer.code
    from autopack.views import check  # noqa: PLC0415

    return check.run(**asked, remember=arguments if kept else None)


def _plain_validation(arguments: list[str]) -> "dict[str, Any] | None":
    """What was asked for, where it needs no more than a check; None leaves the line to the full parser."""
    asked: dict[str, Any] = {"paths": []}
    lists: dict[str, list[str]] = {"--codes": [], "--ignore": []}
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if word == "-" or not word.startswith("-"):
            asked["paths"].append(word)
        elif word == "--no-color":
            asked["colour"] = False
        elif word == "--no-cache":
            asked["kept"] = False
        elif name not in {"--format", "--fail-on", *lists} or not (value := value if equals else next(words, "")):
            return None
        elif name in lists:
            lists[name] += [each.strip() for each in value.split(",") if each.strip()]
        elif name == "--format":
            asked["form"] = value
        elif value in ("error", "warning", "info"):
            asked["fail_on"] = value
        else:
            return None
    if "-" in asked["paths"]:
        asked["kept"] = False
    return asked | {name[2:]: codes for name, codes in lists.items()}


def _plain_plan(words: list[str]) -> "tuple[str, str | None] | None":
    """Playbook and output, where nothing else is asked for; None leaves the line to the full parser."""
    output, left = None, list(words)
    if len(left) == 3 and (left[0] in OUTPUT or left[1] in OUTPUT):
        at = 0 if left[0] in OUTPUT else 1
        output = left[at + 1]
        del left[at : at + 2]
        taken = os.path.isdir(output) or (os.path.exists(output) and not os.access(output, os.W_OK))
        if taken or output.startswith("-"):
            return None
    if len(left) != 1 or left[0].startswith("-") or "_AUTOPACK_COMPLETE" in os.environ:
        return None
    return left[0], output


def _forget_stdout() -> None:
    """What is still buffered can't be delivered: without this the interpreter would complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_closed() -> None:
    """A stream that was closed (`>&-`) is empty, or forgets: its number must not go to a file of ours."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            at = os.open(os.devnull, os.O_RDWR)
            if at != number:
                os.dup2(at, number)
                os.close(at)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


def _unusable(error: OSError) -> int:
    """A place that can't be read or written. What names no file may have been standard output, if that still fails."""
    from autopack.views import exits  # noqa: PLC0415  see above

    fact = error.strerror or str(error)
    if error.filename is None and not _flushes():
        _forget_stdout()
        said = f"stdout can't be written: {fact}"
    elif error.filename is None:
        said = f"{fact}. AUTOPACK_DEBUG=1 shows where."
    else:
        said = f"{error.filename}: {fact}. See that this path is what it should be and that you may use it."
    if os.environ.get("AUTOPACK_DEBUG"):
        sys.excepthook(type(error), error, error.__traceback__)
    print(f"autopack: {said}", file=sys.stderr)
    return exits.ENVIRONMENT


def _flushes() -> bool:
    """Asked with a line end, which does no harm to what broke off: without a buffer nothing is left to try again."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError:
        return False
    return True


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
