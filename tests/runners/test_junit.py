"""Reports of several tools, and of somebody hostile, become one outcome a test or one refusal."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.runners import junit
from autopack.runners.junit import JunitRefused, TestResult, read_junit


def read(text: str | bytes, **more) -> tuple[TestResult, ...]:
    results = read_junit(text.encode() if isinstance(text, str) else text, step="unit", **more)
    assert not isinstance(results, JunitRefused), results
    return results


def outcomes(text: str, **more) -> list[tuple[str, str]]:
    return [(result.test_id, result.outcome) for result in read(text, **more)]


def fact(data: str | bytes) -> str:
    refused = read_junit(data.encode() if isinstance(data, str) else data, step="unit")
    assert isinstance(refused, JunitRefused)
    return refused.fact


PYTEST_SUITE = """
import pytest

class TestCart:
    class TestEmpty:
        def test_total(self): assert 1 + 1 == 3, "sum"
    def test_add(self): pass

@pytest.mark.parametrize("path", ["a/b.c", "x::y"])
def test_path(path): pass

@pytest.mark.skip(reason="later")
def test_later(): pass

@pytest.mark.xfail(reason="known", strict=True)
def test_known(): assert False

@pytest.fixture
def broken():
    yield
    raise OSError("teardown")

def test_teardown(broken): assert False, "body"
"""


@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
@pytest.mark.parametrize("found", [True, False])
def test_pytests_own_ids_come_back_from_both_of_its_formats(tmp_path, family, found):
    (tmp_path / "tests" / "shop").mkdir(parents=True)
    (tmp_path / "tests" / "shop" / "test_cart.py").write_text(PYTEST_SUITE)
    (tmp_path / "tests" / "test_broken.py").write_text("import no_such_module")
    argv = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=r.xml", "-o", f"junit_family={family}"]
    subprocess.run(
        [sys.executable, *argv, "--continue-on-collection-errors"], cwd=tmp_path, check=False, capture_output=True
    )
    results = read((tmp_path / "r.xml").read_bytes(), worktree=str(tmp_path) if found else None)
    assert [(result.test_id, result.outcome) for result in results] == [
        ("tests/shop/test_cart.py::TestCart::TestEmpty::test_total", "failed"),
        ("tests/shop/test_cart.py::TestCart::test_add", "passed"),
        ("tests/shop/test_cart.py::test_known", "skipped"),
        ("tests/shop/test_cart.py::test_later", "skipped"),
        ("tests/shop/test_cart.py::test_path[a/b.c]", "passed"),
        ("tests/shop/test_cart.py::test_path[x::y]", "passed"),
        ("tests/shop/test_cart.py::test_teardown", "error"),
        ("tests/test_broken.py", "error"),
    ]
    by_id = {result.test_id.rpartition("::")[2]: result for result in results}
    assert "AssertionError: sum" in by_id["test_total"].message
    assert "teardown" in by_id["test_teardown"].message
    assert "No module named 'no_such_module'" in by_id["tests/test_broken.py"].message
    assert by_id["test_add"].message == ""


def test_a_class_in_lower_case_is_told_from_a_module_by_the_files_that_exist(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "check_x.py").touch()
    text = '<testsuite name="pytest"><testcase classname="tests.check_x.describe_y" name="it"/></testsuite>'
    assert outcomes(text, worktree=str(tmp_path)) == [("tests/check_x.py::describe_y::it", "passed")]


def test_unittest_xml_with_and_without_a_file():
    case = '<testcase classname="tests.test_cart.CartTest" name="test_add" time="0.002"'
    assert outcomes(f"<testsuites><testsuite>{case} file='tests/test_cart.py'/></testsuite></testsuites>") == [
        ("tests/test_cart.py::CartTest::test_add", "passed")
    ]
    assert outcomes(f'<testsuite name="CartTest-2024">{case}/></testsuite>') == [
        ("tests/test_cart.py::CartTest::test_add", "passed")
    ]
    assert outcomes(
        '<testsuite><testcase classname="test_cart.CartTest" name="test_add" file="tests/test_cart.py"/></testsuite>'
    ) == [("tests/test_cart.py::CartTest::test_add", "passed")]


JEST = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="jest tests" tests="3" failures="1" errors="0" time="1.2">
  <testsuite name="cart" errors="0" failures="1" skipped="1" timestamp="2024-05-01T10:00:00" time="0.9" tests="3">
    <testcase classname="cart adds" name="cart adds" time="0.003"/>
    <testcase classname="cart removes" name="cart removes" time="0.001" file="{file}">
      <failure>Error: expect(received).toBe(expected)
    at Object.&lt;anonymous&gt; (src/cart.test.js:9:20)</failure>
    </testcase>
    <testcase classname="cart" name="empties" time="0"><skipped/></testcase>
  </testsuite>
</testsuites>"""


def test_jest(tmp_path):
    text = JEST.format(file="src/cart.test.js")
    assert outcomes(text) == [
        ("cart adds", "passed"),
        ("cart::empties", "skipped"),
        ("src/cart.test.js::cart removes::cart removes", "failed"),
    ]
    absolute = JEST.format(file=f"{tmp_path}/src/cart.test.js")
    assert outcomes(absolute, worktree=str(tmp_path)) == outcomes(text)
    assert read(text)[2].message.startswith("Error: expect(received).toBe(expected)\n    at Object.<anonymous>")


SUREFIRE = """<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" name="com.acme.test.CartTest" time="1.5">
  <properties><property name="user.home" value="/home/x"/></properties>
  <testcase name="adds" classname="com.acme.test.CartTest" time="1,234.5"/>
  <testcase name="removes" classname="com.acme.test.CartTest" time="0.1">
    <failure message="expected: &lt;1&gt; but was: &lt;2&gt;"><![CDATA[AssertionFailed: expected: <1> but was: <2>
\tat com.acme.CartTest.removes(CartTest.java:9)]]></failure>
    <rerunFailure message="again"/>
    <system-out><![CDATA[noise]]></system-out>
  </testcase>
  <testcase name="flaky" classname="com.acme.test.CartTest"><flakyFailure message="first"/></testcase>
  <testcase name="breaks" classname="com.acme.test.CartTest"><error message="boom" type="java.lang.Error"/></testcase>
</testsuite>"""


def test_surefire():
    assert outcomes(SUREFIRE) == [
        ("com.acme.test.CartTest::adds", "passed"),
        ("com.acme.test.CartTest::breaks", "error"),
        ("com.acme.test.CartTest::flaky", "passed"),
        ("com.acme.test.CartTest::removes", "failed"),
    ]
    adds, breaks, _, removes = read(SUREFIRE)
    assert adds.duration_s == 1234.5
    assert breaks.message == "boom"
    assert removes.message == (
        "AssertionFailed: expected: <1> but was: <2>\n\tat com.acme.CartTest.removes(CartTest.java:9)"
    )


def test_a_suite_that_broke_before_its_first_test_is_an_error_of_its_own():
    text = '<testsuite name="cart"><error message="no database"/><testcase name="a"><skipped/></testcase></testsuite>'
    assert outcomes(text) == [("a", "skipped"), ("cart", "error")]


def test_tests_said_not_to_have_run_are_skipped():
    text = (
        '<testsuites><testsuite><testcase classname="S" name="a" status="notrun"/>'
        '<testcase classname="S" name="b" status="run" result="completed"/></testsuite></testsuites>'
    )
    assert outcomes(text) == [("S::a", "skipped"), ("S::b", "passed")]


def test_a_test_named_twice_keeps_its_worst_outcome_and_the_order_of_the_report_does_not_matter():
    cases = [
        '<testcase classname="S" name="a"/>',
        '<testcase classname="S" name="a"><failure message="x"/></testcase>',
        '<testcase classname="S" name="a"><failure message="y"/></testcase>',
        '<testcase classname="R" name="b"/>',
    ]
    forwards, backwards = (f"<testsuite>{''.join(order)}</testsuite>" for order in (cases, cases[::-1]))
    assert outcomes(forwards) == [("R::b", "passed"), ("S::a", "failed")]
    assert read(forwards) == read(backwards)


@pytest.mark.parametrize("time", ["nan", "inf", "-1", "soon", "", "1e999"])
def test_a_duration_that_is_none_counts_as_zero(time):
    assert read(f'<testsuite><testcase name="a" time="{time}"/></testsuite>')[0].duration_s == 0.0


def test_a_long_message_keeps_its_beginning_and_its_end_and_a_name_is_one_short_line():
    body = "first\n" + "x" * 100_000 + "\nlast"
    name = "a&#10;b&#9;" + "n" * 1000
    result = read(f'<testsuite><testcase name="{name}"><failure>{body}</failure></testcase></testsuite>')[0]
    assert len(result.message) == junit.MESSAGE_CHARS
    assert result.message.startswith("first\nxxx")
    assert result.message.endswith("xxx\nlast")
    assert result.test_id.startswith("a b nnn")
    assert len(result.test_id) == junit.ID_CHARS


BILLION_LAUGHS = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<testsuite><testcase name="&c;"/></testsuite>"""
FILE_ENTITY = (
    '<!DOCTYPE t [<!ENTITY f SYSTEM "file:///etc/passwd">]><testsuite><testcase name="&f;"/></testsuite>'  # read it
)


@pytest.mark.parametrize(
    "text", [BILLION_LAUGHS, FILE_ENTITY, '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><testsuite/>']
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_doctype_is_refused_in_any_encoding(text, encoding):
    text = text.replace('<?xml version="1.0"?>', "")
    assert "declares a DOCTYPE" in fact(text.strip().encode(encoding))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not well-formed"),
        (b"not xml", "not well-formed"),
        (b"<testsuite><testcase name='a'/>", "not well-formed"),
        (b"<testsuite><testcase name='&undefined;'/></testsuite>", "not well-formed"),
        (b"<testsuite><testcase name='a\x00'/></testsuite>", "not well-formed"),
        (b"<?xml version='1.0' encoding='utf-7'?><testsuite/>", "an encoding that can't be read"),
        (b"<?xml version='1.0' encoding='shift_jis'?><testsuite/>", "an encoding that can't be read"),
        (b"<?xml version='1.0' encoding='no-such'?><testsuite/>", "an encoding that can't be read"),
        (b"<testsuite>\xff\xfe</testsuite>", "not well-formed"),
        (b"<html><testcase name='a'/></html>", "its root is <html>, not <testsuites> or <testsuite>"),
        (b"<testsuite>" * 65 + b"</testsuite>" * 65, "it nests more than 64 elements"),
        (b" " * 20_000_001, "it has more than 20,000,000 bytes"),
        (b"<testsuite>" + b"<testcase name='a'/>" * 100_001 + b"</testsuite>", "it lists more than 100,000 tests"),
    ],
)
def test_what_proves_nothing_is_refused_with_what_is_wrong(data, said):
    assert said in fact(data)


def test_a_refusal_names_its_step_and_what_to_do():
    assert str(read_junit(b"<x/>", step="e2e")) == (
        "step e2e: the JUnit report is refused: its root is <x>, not <testsuites> or <testsuite>. "
        "Have the step write plain JUnit XML."
    )


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a..b", ".x", "test_x.", ".", "..", "test_é"])
def test_odd_names_never_raise(tmp_path, name):
    for attribute in ("classname", "name", "file"):
        text = f'<testsuite name="pytest"><testcase {attribute}="{name}"/></testsuite>'
        assert len(read(text)) == 1
        assert len(read(text, worktree=str(tmp_path))) == 1


@given(st.data())
def test_a_damaged_report_is_read_or_refused_and_nothing_else(data):
    whole = bytearray(SUREFIRE.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(whole)))
        whole[start : start + data.draw(st.integers(0, 12))] = data.draw(st.binary(max_size=6))
    results = read_junit(bytes(whole), step="unit")
    assert isinstance(results, JunitRefused) or all(isinstance(result, TestResult) for result in results)


def test_nothing_is_fetched_for_a_namespace(tmp_path):
    text = '<j:testsuite xmlns:j="http://127.0.0.1:1/ns"><j:testcase name="a"><j:failure/></j:testcase></j:testsuite>'
    assert outcomes(text, worktree=str(tmp_path)) == [("a", "failed")]
    assert list(Path(tmp_path).iterdir()) == []
