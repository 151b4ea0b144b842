"""Which files are tests, by their names."""

from autopack.spec.paths import matches

_TEST_FILES = (
    *("**/test_*.py", "**/*_test.py", "**/tests.py", "**/conftest.py", "tests/**/*.py", "test/**/*.py"),
    *("**/tests/**/*.py", "**/*.test.*", "**/*.spec.*", "**/*_test.go", "**/*_spec.rb", "**/*Test.java"),
    *("**/*Tests.cs", "**/__tests__/**", "**/tests/**/*.rs", "!**/*.md"),
)
# Where pytest looks for tests unless it is told otherwise; projects often tell it to look in their tests folder only.
_COLLECTED = (
    *("**/test_*.py", "**/*_test.py", "**/tests.py"),
    *("!**/.*/**", "!**/build/**", "!**/dist/**", "!**/venv/**", "!**/node_modules/**", "!**/*.egg/**"),
)
_IN_TESTS = ("tests/**/*.py", "test/**/*.py", "**/tests/**/*.py")
_DATA = ("tests/**", "test/**", "**/tests/**", "**/__snapshots__/**", "!**/*.py", "!**/*.md", "!**/.gitkeep")


def is_test(path: str) -> bool:
    return matches(path, _TEST_FILES)


def is_test_data(path: str) -> bool:
    """What lies beside tests and is none: expected output, inputs."""
    return matches(path, _DATA) and not is_test(path)


def is_collected(path: str) -> bool:
    """Whether pytest takes it for a file of tests by its name, not for a script or a helper."""
    return matches(path, _COLLECTED)


def still_run(old: str, new: str) -> bool:
    """Whether what finds tests at `old` finds them at `new` as well."""
    return all(matches(new, kind) or not matches(old, kind) for kind in (_TEST_FILES, _COLLECTED, _IN_TESTS))
