"""The verb itself: what is needed for it, and that nothing gets between two messages."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import autopack
from autopack.views import cli
from tests.lsp.client import Client


def test_without_the_extra_it_says_what_to_install(monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    assert cli.main(["lsp"]) == 7
    assert capsys.readouterr() == ("", 'autopack lsp: pygls is not installed; pip install "autopack[lsp]"\n')


def test_it_offers_what_it_can_and_ends_in_order() -> None:
    with Client() as client:
        offered = {name for name, each in client.capabilities.items() if each and name.endswith("Provider")}
        assert client.end() == 0
    wanted = ("completion", "hover", "definition", "references", "documentSymbol", "codeAction", "rename")
    assert {f"{name}Provider" for name in wanted} <= offered


def test_an_end_that_nobody_asked_for_is_told_by_the_exit_code() -> None:
    with Client() as client:
        client.notify("exit", None)
        assert client.left() == 1


def test_rename_can_be_prepared_where_the_editor_asks_before() -> None:
    able = {"textDocument": {"rename": {"prepareSupport": True}}}
    with Client(capabilities=able) as client:
        assert client.capabilities["renameProvider"] == {"prepareProvider": True}


def test_a_file_that_is_none_is_refused_and_the_server_goes_on(client: Client) -> None:
    position = {"textDocument": {"uri": "untitled:1"}, "position": {"line": 0, "character": 0}}
    item = {"uri": "untitled:1", "languageId": "yaml", "version": 1, "text": "autopack: ci/v1\n"}
    client.notify("textDocument/didOpen", {"textDocument": item})
    with pytest.raises(Exception, match="untitled:1 is no file"):
        client.request("textDocument/hover", position)
    assert client.capabilities["positionEncoding"] == "utf-16"


def test_no_other_verb_pays_for_it() -> None:
    told = "import sys; from autopack.views import cli; cli.main(['schema']); print('pygls' in sys.modules)"
    root = Path(autopack.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", told], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"
