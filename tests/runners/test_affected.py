"""Which test files a patch can affect, by trees written out here."""

import pytest

from autopack.runners.affected import Tree, select

SHOP = {
    "src/shop/__init__.py": "",
    "src/shop/cart.py": "from shop.price import total\n",
    "src/shop/price.py": "import json\nRATES = json.load(open('rates.json'))\ndef total(): ...\n",
    "src/shop/mail.py": "def send(): ...\n",
    "src/shop/rates.json": "{}",
    "tests/conftest.py": "import pytest\n",
    "tests/test_cart.py": "from shop.cart import total\n",
    "tests/test_price.py": "import shop.price\n",
    "tests/test_mail.py": "from shop import mail\n",
    "README.md": "the shop",
    "pyproject.toml": "",
}


def tree(files: dict[str, str]) -> Tree:
    return Tree(frozenset(files), {p: t.encode() for p, t in files.items() if p.endswith(".py")})


def chosen(after: dict[str, str | None], base: dict[str, str] | None = None) -> tuple[tuple[str, ...] | None, str]:
    """What is selected when `after` (None: removed) is done to the shop."""
    before = {**SHOP, **(base or {})}
    now = {path: text for path, text in {**before, **after}.items() if text is not None}
    found = select(tree(now), tree(before), sorted(after))
    return found.paths, found.why


def test_a_changed_module_affects_the_tests_that_reach_it_by_imports():
    """REQ-10.1-1: the affected area."""
    assert chosen({"src/shop/price.py": "def total(): return 1\n"}) == (
        ("tests/test_cart.py", "tests/test_price.py"),
        "2 of 3 test files can be affected by the patch",
    )
    assert chosen({"src/shop/mail.py": "def send(): return 1\n"})[0] == ("tests/test_mail.py",)


def test_a_changed_test_affects_itself_alone():
    assert chosen({"tests/test_mail.py": "from shop import mail\ndef test_x(): ...\n"})[0] == ("tests/test_mail.py",)


def test_a_packages_init_affects_whoever_imports_anything_below_it():
    assert chosen({"src/shop/__init__.py": "X = 1\n"})[0] == (
        "tests/test_cart.py",
        "tests/test_mail.py",
        "tests/test_price.py",
    )


def test_a_data_file_affects_the_tests_of_whoever_names_it():
    assert chosen({"src/shop/rates.json": "{1: 2}"})[0] == ("tests/test_cart.py", "tests/test_price.py")


def test_a_removed_module_affects_who_imported_it_before():
    after = {"src/shop/mail.py": None, "tests/test_mail.py": "import shop\n"}
    assert chosen(after)[0] == ("tests/test_mail.py",)
    assert chosen({"src/shop/mail.py": None})[0] == ("tests/test_mail.py",)


def test_a_renamed_module_affects_the_users_of_both_names():
    after = {
        "src/shop/mail.py": None,
        "src/shop/post.py": "def send(): ...\n",
        "src/shop/cart.py": "from shop import post\n",
    }
    assert chosen(after)[0] == ("tests/test_cart.py", "tests/test_mail.py")


def test_relative_imports_and_patched_names_count():
    base = {"src/shop/api.py": "from . import mail\n", "tests/test_api.py": "from shop import api\n"}
    assert chosen({"src/shop/mail.py": "X = 1\n"}, base)[0] == ("tests/test_api.py", "tests/test_mail.py")
    patched = {"tests/test_patch.py": "from unittest import mock\nmock.patch('shop.mail.send')\n"}
    assert chosen({"src/shop/mail.py": "X = 1\n"}, patched)[0] == ("tests/test_mail.py", "tests/test_patch.py")


def test_helpers_that_a_conftest_imports_affect_the_tests_below_it():
    base = {"tests/conftest.py": "from shop import mail\n"}
    assert chosen({"src/shop/mail.py": "X = 1\n"}, base)[0] == (
        "tests/test_cart.py",
        "tests/test_mail.py",
        "tests/test_price.py",
    )


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ({"tests/conftest.py": "X = 1\n"}, "tests/conftest.py changed, which decides how tests run"),
        ({"pyproject.toml": "[tool]"}, "pyproject.toml changed, which may decide anything"),
        ({"src/shop/mail.py": "def ("}, "src/shop/mail.py can't be parsed"),
        ({"src/shop/other.yaml": "a: 1"}, "src/shop/other.yaml changed, and no Python file names it"),
        ({"src/shop/alone.py": "X = 1\n"}, "no test file imports what changed"),
        ({"README.md": "a shop"}, "nothing but prose changed"),
        (
            {"src/shop/cart.py": "import importlib\nimportlib.import_module(NAME)\n"},
            "an import whose name is made at run time reaches what changed, or may",
        ),
    ],
)
def test_where_the_graph_can_not_be_trusted_everything_runs_and_it_is_told_why(after, why):
    assert chosen(after) == (None, f"every test: {why}")
