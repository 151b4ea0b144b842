import re
from pathlib import Path

import pytest

from autopack.problem import CODES, problem

HOUSE = Path(__file__).parents[2] / "autopack"
LAYERS = {1: "text", 2: "schema", 3: "references", 4: "graph", 5: "policy", 6: "budget", 7: "plan and lock", 8: "run"}


def test_a_finding_with_an_undeclared_code_cannot_be_made():
    with pytest.raises(KeyError, match="AP1999"):
        problem("AP1999", "what is this?", None)


def test_every_code_that_the_source_names_is_declared():
    named = {code for file in HOUSE.rglob("*.py") for code in re.findall(r"\bAP[1-8]\d{3}\b", file.read_text())}
    assert named - CODES.keys() == set()


def test_every_code_belongs_to_a_layer_and_says_why_it_matters():
    for code, (title, severity, why) in CODES.items():
        assert re.fullmatch(r"AP\d{4}", code), code
        assert int(code[2]) in LAYERS, code
        assert severity in {"error", "warning", "info"}, code
        assert title == title.strip(), code
        assert title, code
        assert why.endswith("."), code
        assert len(why) > 20, code


def test_no_two_codes_have_one_title():
    titles = [code.title for code in CODES.values()]
    assert len(titles) == len(set(titles))


# A code never changes its meaning: what is listed here may be reworded, not reused.
TEXT_LAYER = """
AP1001 error header missing
AP1002 error unknown kind of file
AP1003 error unknown version of a kind
AP1004 error more than one document
AP1005 error duplicate key
AP1006 error custom tag
AP1007 error alias inside its own anchor
AP1008 error aliases expand too far
AP1009 error tab as indentation
AP1010 error merge-conflict marker
AP1011 error NUL byte
AP1012 error not UTF-8
AP1013 error file too large
AP1014 error nested too deeply
AP1015 error not valid YAML
AP1016 warning unused anchor
AP1017 warning number with a leading zero
AP1018 error key is not a string
AP1019 error unknown alias
AP1020 error merge of something that is not a mapping
AP1021 warning text that swallowed keys
AP1022 error number that cannot be kept
AP1023 error value does not fit its tag
AP1024 error too many findings in one file
AP1025 error control character
AP1026 error too many keys and values
AP1027 warning comment that cuts off a text
AP1028 warning curly quotes
AP1029 error item that became text
"""


def test_the_codes_of_the_text_layer_keep_their_meaning():
    declared = {f"{code} {severity} {title}" for code, (title, severity, _) in CODES.items() if code < "AP2"}
    assert declared == set(TEXT_LAYER.strip().splitlines())
