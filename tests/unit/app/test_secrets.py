"""What looks like a secret under env draws a warning that does not repeat it; what does not, draws none."""

import pytest

from functions.app import secrets
from functions.app.claim import Claim


@pytest.mark.parametrize(
    ("name", "value", "looks", "why"),
    [
        ("DB_PASSWORD", "correct-horse", True, "by its name"),
        ("password", "correct-horse", True, "in lower case"),
        ("STRIPE_API_KEY", "rk_test_51H", True, "an API key"),
        ("APIKEY", "0f3c9ab1", True, "an API key in one word"),
        ("GITHUB", "ghp_0123456789abcdef", True, "by its value: GitHub's tokens begin so"),
        ("AWS", "AKIAIOSFODNN7EXAMPLE", True, "by its value: an access key"),
        ("TAILNET", "tskey-auth-k123", True, "by its value: an auth key"),
        ("UPSTREAM", "https://shop:hunter2@example.org/", True, "a password in a URL"),
        ("DSN", "postgresql://shop:hunter2@db/shop", True, "a password in a DSN"),
        ("PEM", "-----BEGIN EC PRIVATE KEY-----\nMHcC", True, "a private key"),
        ("SESSION", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", True, "a JSON web token"),
        ("DB_PASSWORD", "$ecret-horse", True, "no shell reads it, so it is no variable"),
        ("DB_PASSWORD", "/kJ8w/abc9def", True, "it may look like a path"),
        ("DSN", "postgresql://$(USER):$(PASSWORD)@db/shop", False, "variables stand for the secret"),
        ("DB_PASSWORD", "$(PGPASSWORD)", False, "a variable stands for the secret"),
        ("TOKEN_TTL", "3600", False, "about a token"),
        ("SHOW_PASSWORD", "false", False, "a switch"),
        ("MAX_TOKEN", "4096", False, "a number"),
        ("PASSWORD_FILE", "/bindings/orders/password", False, "where it stands"),
        ("UPSTREAM", "https://example.org:8443/a@b", False, "a port and no password"),
        ("COMPASS", "north-north-east", False, "ends like one, and is none"),
        ("LOG_LEVEL", "info", False, "a setting"),
    ],
)
def test_warning(name: str, value: str, looks: bool, why: str) -> None:
    claim = Claim.model_validate({"image": "shop:1", "size": "small", "env": [{"name": name, "value": value}]})
    told = list(secrets.warnings(claim))
    assert bool(told) is looks, why
    assert not [text for text in told if value in text]
    assert all(f"spec.env[0] ({name})" in text for text in told)


@pytest.mark.parametrize(
    ("word", "looks", "why"),
    [
        ("--password=hunter2", True, "an option"),
        ("export API_TOKEN=hunter2 && /shop", True, "a variable of a shell"),
        ("--key=ghp_0123456789abcdef", True, "an option, by its value"),
        ("psql --password hunter2", True, "an option and its value"),
        ("psql postgresql://shop:hunter2@db/shop", True, "a DSN in a command of a shell"),
        ("--dsn=postgresql://shop:hunter2@db/shop", True, "a DSN of an option"),
        ('export PGPASSWORD="$DB_PASSWORD"', False, "a shell's variable stands for the secret"),
        ("--require-token=true", False, "a switch"),
        ("--token=/var/run/secrets/tokens/vault", False, "a file of it"),
        ("--password --verbose", False, "an option and another"),
        ("ghp_0123456789abcdef", True, "by its value"),
        ("--password=$(DB_PASSWORD)", False, "a variable stands for the secret"),
        ("--password-file=/bindings/orders/password", False, "where it stands"),
        ("--token-ttl=3600", False, "about a token"),
        ("migrate", False, "a word"),
    ],
)
@pytest.mark.parametrize("field", ["command", "args", "migrate"])
def test_warning_of_a_command(field: str, word: str, looks: bool, why: str) -> None:
    given = {"migrate": {"command": ["/shop", word]}} if field == "migrate" else {field: ["/shop", word]}
    told = list(secrets.warnings(Claim.model_validate({"image": "shop:1", "size": "small"} | given)))
    assert bool(told) is looks, why
    assert not [text for text in told if word in text]
    assert all(text.startswith(f"spec.{field}") for text in told)


def test_warning_of_an_option_and_the_next_word() -> None:
    claim = Claim.model_validate({"image": "shop:1", "size": "small", "args": ["--token", "hunter2", "--verbose", "hunter2"]})
    assert [text.partition(" ")[0] for text in secrets.warnings(claim)] == ["spec.args[1]"]
