"""Tokens that are not ours, not of this use, or not any more."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.catalogue import Problem, new_key
from services.identity.auth.tokens import Tokens

SECRET = "a secret for tokens of tests, long enough"
TOKENS = Tokens(SECRET, scopes=("items:read",))
USER, SESSION = new_key(), new_key()
NOW = datetime.now(UTC)
HEADER = {"alg": "HS256", "typ": "JWT"}
CLAIMS = {
    "iss": "hybrid-gateway",
    "aud": "hybrid-gateway",
    "sub": f"usr_{USER.hex}",
    "sid": f"ses_{SESSION.hex}",
    "jti": new_key().hex,
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 3600,
    "use": "access",
    "scope": "items:read items:write",
    "gen": 3,
}


def base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(body: str, *, secret: str = SECRET, digest: str = "sha256") -> str:
    return f"{body}.{base64(hmac.digest(secret.encode(), body.encode(), digest))}"


def token(header: Any = HEADER, claims: Any = CLAIMS, **options: Any) -> str:
    """A token made by hand, rightly signed unless told otherwise."""
    return sign(f"{base64(json.dumps(header).encode())}.{base64(json.dumps(claims).encode())}", **options)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CLAIMS.items() if key != name}


def expect_refused(text: str, tokens: Tokens = TOKENS) -> None:
    with pytest.raises(Problem) as caught:
        tokens.verify(text, "access")
    assert caught.value.type.code == "invalid_token"
    assert caught.value.detail == "The token is not valid."


def test_claims_of_a_right_token_are_read() -> None:
    found = TOKENS.verify(token(), "access")
    assert (found.user_id, found.session_id, found.generation) == (USER, SESSION, 3)
    assert found.scopes == {"items:read", "items:write"}
    assert found.expires_at == CLAIMS["exp"]


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_issued_token_says_what_it_was_issued_for(algorithm: str) -> None:
    tokens = replace(TOKENS, algorithm=algorithm)
    scopes = frozenset({"users:read", "items:read"})
    issued = tokens.issue("refresh", user_id=USER, session_id=SESSION, now=NOW, scopes=scopes, generation=7)
    found = tokens.verify(issued, "refresh")
    assert (found.user_id, found.session_id, found.scopes, found.generation) == (USER, SESSION, scopes, 7)
    assert found.expires_at == int(NOW.timestamp()) + 30 * 24 * 3600


def test_two_tokens_issued_at_once_differ() -> None:
    issued = {TOKENS.issue("access", user_id=USER, session_id=SESSION, now=NOW, scopes=frozenset()) for _ in range(2)}
    assert len(issued) == 2


@pytest.mark.parametrize("use", ["access", "refresh"])
def test_token_of_the_other_use_is_refused(use: Any) -> None:
    issued = TOKENS.issue(use, user_id=USER, session_id=SESSION, now=NOW, scopes=frozenset())
    with pytest.raises(Problem) as caught:
        TOKENS.verify(issued, "refresh" if use == "access" else "access")
    assert caught.value.type.code == "invalid_token"


@pytest.mark.parametrize("use", ["access", "refresh"])
def test_token_past_its_time_is_refused(use: Any) -> None:
    before = NOW - TOKENS.lifetime(use) - timedelta(seconds=1)
    issued = TOKENS.issue(use, user_id=USER, session_id=SESSION, now=before, scopes=frozenset())
    with pytest.raises(Problem) as caught:
        TOKENS.verify(issued, use)
    assert caught.value.type.code == "invalid_token"


@pytest.mark.parametrize("name", CLAIMS)
def test_token_without_any_one_of_its_claims_is_refused(name: str) -> None:
    expect_refused(token(claims=without(name)))


CHANGED: dict[str, dict[str, Any]] = {
    "expired": {"exp": int(NOW.timestamp()) - 1},
    "exp is text": {"exp": "never"},
    "exp is null": {"exp": None},
    "iat is text": {"iat": "yesterday"},
    "not yet valid": {"nbf": int(NOW.timestamp()) + 3600},
    "other audience": {"aud": "another-api"},
    "audience is null": {"aud": None},
    "no audience in list": {"aud": []},
    "other issuer": {"iss": "another-gateway"},
    "issuer is null": {"iss": None},
    "sub is a number": {"sub": 1},
    "sub is null": {"sub": None},
    "sub without prefix": {"sub": USER.hex},
    "sub of a session": {"sub": f"ses_{USER.hex}"},
    "sid of a user": {"sid": f"usr_{SESSION.hex}"},
    "jti is a number": {"jti": 1},
    "scope is a list": {"scope": ["items:read"]},
    "generation is text": {"gen": "none"},
    "generation is null": {"gen": None},
    "use is unknown": {"use": "admin"},
    "use is a list": {"use": ["access"]},
}


@pytest.mark.parametrize("case", CHANGED)
def test_rightly_signed_token_with_wrong_claims_is_refused(case: str) -> None:
    expect_refused(token(claims={**CLAIMS, **CHANGED[case]}))


HEADERS: dict[str, Any] = {
    "alg none": {"alg": "none", "typ": "JWT"},
    "alg in capitals": {"alg": "NONE"},
    "alg of another length": {"alg": "HS512", "typ": "JWT"},
    "alg is a substring": {"alg": "HS", "typ": "JWT"},
    "alg is a list": {"alg": ["HS256"], "typ": "JWT"},
    "alg is null": {"alg": None},
    "alg asymmetric": {"alg": "RS256"},
    "no alg": {"typ": "JWT"},
    "kid": {**HEADER, "kid": "../../dev/null"},
    "jwk": {**HEADER, "jwk": {"kty": "oct", "k": "AAAA"}},
    "jku": {**HEADER, "jku": "https://evil.example/keys"},
    "crit": {**HEADER, "crit": ["exp"]},
    "b64": {**HEADER, "b64": False},
    "typ": {"alg": "HS256", "typ": "at+jwt"},
    "typ is a list": {"alg": "HS256", "typ": ["JWT"]},
    "header is a list": ["alg"],
    "header is a text": "HS256",
    "header is null": None,
}


@pytest.mark.parametrize("case", HEADERS)
def test_rightly_signed_token_with_another_header_is_refused(case: str) -> None:
    expect_refused(token(HEADERS[case]))


def test_signature_of_another_strength_is_refused() -> None:
    expect_refused(token({"alg": "HS512", "typ": "JWT"}, digest="sha512"))
    expect_refused(token(digest="sha512"))


@pytest.mark.parametrize("claims", [[], "access", None, 1])
def test_claims_that_are_no_object_are_refused(claims: Any) -> None:
    expect_refused(token(claims=claims))


FORGED: dict[str, Callable[[], str]] = {
    "another key": lambda: token(secret="another secret of at least 32 bytes"),
    "empty key": lambda: token(secret=""),
    "no signature": lambda: token().rpartition(".")[0] + ".",
    "two parts": lambda: token().rpartition(".")[0],
    "four parts": lambda: token() + ".AAAA",
    "alg none, unsigned": lambda: token({"alg": "none"}).rpartition(".")[0] + ".",
    "claims of another token": lambda: ".".join(
        [token().split(".")[0], token(claims={**CLAIMS, "scope": "users:write"}).split(".")[1], token().split(".")[2]]
    ),
    "signature cut": lambda: token()[:-2],
    "empty": lambda: "",
    "dots": lambda: "..",
    "words": lambda: "not a token",
    "not base64": lambda: "!!!.???.###",
    "non-ASCII": lambda: token() + "é",
    "non-ASCII inside": lambda: token().replace(".", ".ü", 1),
    "lone surrogate": lambda: token() + "\ud800",
    "NUL": lambda: token() + "\x00",
    "line break": lambda: token() + "\n",
    "header is not UTF-8": lambda: sign(base64(b"\xff\xfe") + "." + base64(b"{}")),
    "header is not JSON": lambda: sign(base64(b"{") + "." + base64(b"{}")),
    "claims are not JSON": lambda: sign(base64(json.dumps(HEADER).encode()) + "." + base64(b"{")),
    "header nested deep": lambda: sign(base64(b"[" * 3000) + "." + base64(b"{}"))[:4096],
    "number of 4000 digits": lambda: base64(b'{"alg":' + b"9" * 2900 + b"}") + ".e30.AAAA",
    "oversized": lambda: token(claims={**CLAIMS, "scope": "items:read " * 400}),
}


@pytest.mark.parametrize("case", FORGED)
def test_forged_or_broken_token_is_refused(case: str) -> None:
    expect_refused(FORGED[case]())


def test_token_of_another_gateway_with_the_same_key_is_refused() -> None:
    for other in (replace(TOKENS, issuer="another"), replace(TOKENS, audience="another")):
        issued = other.issue("access", user_id=USER, session_id=SESSION, now=NOW, scopes=frozenset())
        expect_refused(issued)


def test_configuration_does_not_show_the_key() -> None:
    assert SECRET not in repr(TOKENS)
