"""Secrets in text: found by what they look like, hidden by name of kind, and ordinary code is left alone."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.run.events import ReportedIssue
from autopack.runners.redact import hidden, redact, secrets, secrets_of, withheld

BODY = "MIIEpAIBAAKCAQEA04up8hoqzS1+\nAPIB0RhjXyObwHQnOzhAk5Bd"
KEY = f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n-----END RSA PRIVATE KEY-----"
RANDOM = "q8Zt3LmX0vRk7YpW2sNd"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("AKIAQWERTYUIOPASDFGH", "AWS access key"),
        (KEY, "private key"),
        ("-----BEGIN PRIVATE KEY-----", "private key"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----", "private key"),
        ("ghp_" + "a1B2" * 9, "GitHub token"),
        ("github_pat_" + "a1B2" * 15, "GitHub token"),
        ("glpat-" + "a1B2" * 5, "GitLab token"),
        ("sk-" + "a1B2" * 12, "API key"),
        ("sk-proj-" + "a1-B2_" * 8, "API key"),
        ("sk-ant-api03-" + "a1B2" * 8, "API key"),
        ("xoxb-123456789012-abcdefABCDEF", "Slack token"),
        ("sk_live_" + "a1B2" * 6, "Stripe key"),
        ("AIza" + "a1B2-" * 7, "Google API key"),
        ("npm_" + "a1B2" * 9, "npm token"),
        (f"eyJ{'a1B2' * 5}.eyJ{'a1B2' * 5}.{'a1B2' * 5}", "JSON web token"),
        (f'api_key = "{RANDOM}"', "credential"),
        (f"DB_PASSWORD={RANDOM}", "credential"),
        (f'"clientSecret": "{RANDOM}"', "credential"),
        (f"auth_token: '{RANDOM}'", "credential"),
        ("secret_key = '9f86d081884c7d659a2feaa0c55ad015'", "credential"),
    ],
)
def test_what_looks_like_a_secret_is_found_and_hidden(text: str, name: str):
    line = f"before {text} after"
    assert name in {secret.name for secret in secrets(line)}
    hidden = redact(line)
    assert f"[redacted: {name}]" in hidden
    assert hidden.startswith("before ")
    assert hidden.endswith(" after")
    assert not list(secrets(hidden))


@pytest.mark.parametrize(
    "text",
    [
        "token = os.environ['API_TOKEN_FOR_PRODUCTION_1']",
        "secret = generate_random_token_v2_for_user",
        "password = getpass.getpass('Password for 12345678901234567890: ')",
        'api_key = "your-api-key-goes-here-please"',
        'api_key = "example1234567890abcdefgh"',
        "token_count = 12345678901234567890123",
        'token_sha256 = "9f86d081884c7d659a2feaa0c55ad015"',
        "secret_id: 3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        'password = "abcdefghijklmnopqrstuvwx"',
        "tokenizer = 'cl100k_base_with_a_very_long_name_2'",
        "class='sk-estimator-doc-link-wrapper sk-toggleable__content'",
        "sk-learn",
        "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----",
        "AKIA is how such keys start",
        "tests/tokens/fixtures_v2_2024/some_very_long_file_name.json",
        "token: tests/tokens/fixtures_v2_2024/some_very_long_file_name.json",
    ],
)
def test_ordinary_text_is_left_alone(text: str):
    assert list(secrets(text)) == []
    assert redact(text) == text


def test_headers_and_passwords_in_urls_are_hidden_but_refuse_nothing():
    text = f"Authorization: Bearer {RANDOM}\npostgresql://app:hunter2@localhost/db\n"
    assert list(secrets(text)) == []
    assert redact(text) == (
        "Authorization: Bearer [redacted: credential]\npostgresql://app:[redacted: credential]@localhost/db\n"
    )


def test_known_values_are_hidden_wherever_they_stand():
    assert redact("key=(hunter2hunter2)", ["hunter2hunter2"]) == "key=([redacted: known value])"
    assert redact("ab abc", ["", "abc"]) == "ab abc"


def test_variables_are_secret_by_their_names_but_words_and_paths_hide_nothing():
    environ = {
        "HOUSE_TOKEN": "q8Zx.7Kp2",
        "OPENAI_API_KEY": "a-key-of-9",
        "DEPLOY_KEY": "-----BEGIN-----\nline 1 of it\n",
        "DB_PASSWORD": "postgres",
        "GOOGLE_APPLICATION_CREDENTIALS": "/home/ada/key.json",
        "KEYBOARD": "de-latin1-x",
        "PATH": "/usr/bin:/bin/2",
    }
    found = secrets_of(environ)
    assert set(found) == {
        "q8Zx.7Kp2",
        "a-key-of-9",
        "line 1 of it",
    }
    said = redact("at q8Zx.7Kp2 in line 1 of it, postgres", found)
    assert said == "at [redacted: known value] in [redacted: known value], postgres"


def test_a_private_key_is_hidden_whole_also_where_its_end_is_cut_off():
    assert redact(f"x\n{KEY}\ny") == "x\n[redacted: private key]\ny"
    assert redact(f"x\n{KEY.partition('-----END')[0]}") == "x\n[redacted: private key]\n"
    assert redact("if '-----BEGIN PRIVATE KEY-----' in text:\n    pass\n") == (
        "if '[redacted: private key]' in text:\n    pass\n"
    )


@pytest.mark.parametrize(
    "piece",
    [
        "-----BEGIN PRIVATE KEY-----",
        "token=",
        "token = '",
        "eyJ",
        "eyJaaaaaaaaaaa.",
        "sk-proj-",
        "AKIA",
        "a",
        "://a:",
        "bearer ",
        "-",
    ],
)
def test_a_megabyte_of_almost_a_secret_is_read_in_linear_time(piece: str):
    redact(piece * (1_000_000 // len(piece)))


@given(st.text(), st.text())
def test_hiding_keeps_what_surrounds_a_secret(before: str, after: str):
    hidden = redact(f"{before} AKIAQWERTYUIOPASDFGH {after}")
    assert "AKIAQWERTYUIOPASDFGH" not in hidden
    assert redact(hidden) == hidden


@pytest.mark.parametrize(
    "secret", ["AKIAQWERTYUIOPASDFGH", "ghp_" + "a1B2" * 9, "sk-" + "a1B2" * 12, "npm_" + "a1B2" * 9]
)
@pytest.mark.parametrize(
    "before",
    [
        *("\\n", "\\t", "\\r", "\\\\n", "\\u0022", "\\x1b", "\x1b[31m", "\\u001b[1;31m", "%3D", "key=%20", '"', "("),
        "\n",
    ],
)
def test_a_secret_behind_an_escape_is_hidden(before: str, secret: str):
    """As dumps of JSON, colours of terminals and addresses write them: the escape's last letter is none of the word."""
    assert redact(f"said{before}{secret} x") == f"said{before}{redact(secret)} x"


def test_a_credential_with_a_name_is_hidden_in_a_dump_of_a_dump():
    told = json.dumps(json.dumps({"password": RANDOM, "more": f"x\nAPI_TOKEN={RANDOM}"}))
    assert RANDOM not in redact(told)


@given(st.text(max_size=20), st.integers(0, 3))
def test_however_often_a_text_is_dumped_its_secret_is_hidden(before: str, times: int):
    text = f"{before}\nAKIAQWERTYUIOPASDFGH\t"
    for _ in range(times):
        text = json.dumps(text)
    assert "AKIAQWERTYUIOPASDFGH" not in redact(text)


def test_what_is_withheld_is_what_would_be_refused_and_nothing_else():
    text = "postgresql://app:hunter2@localhost/db AKIAQWERTYUIOPASDFGH"
    assert withheld(text) == "postgresql://app:hunter2@localhost/db <withheld-AWS-access-key>"


def test_every_text_in_a_value_is_hidden():
    issue = ReportedIssue("k", "minor", "AKIAQWERTYUIOPASDFGH", "ci", "x", ("AKIAQWERTYUIOPASDFGH",))
    mark = "[redacted: AWS access key]"
    assert hidden(issue) == ReportedIssue("k", "minor", mark, "ci", "x", (mark,))
    assert hidden({"a": ["AKIAQWERTYUIOPASDFGH", 1, None]}) == {"a": [mark, 1, None]}
