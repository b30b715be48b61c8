"""URLs of databases as libpq takes them, and as hosted databases print them."""

from __future__ import annotations

from typing import Any

import pytest

from services.storage.address import Address, Pooler, parse_address

BASE = "postgresql://user:p%40ss@db.example.org:5433/app"

TAKEN: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": (BASE, {"dsn": BASE, "place": "db.example.org:5433", "name": "app"}),
    "Heroku": ("postgres://u:p@h/d", {"dsn": "postgresql://u:p@h/d", "place": "h:5432"}),
    "SQLAlchemy": ("postgresql+asyncpg://u:p@h/d?ssl=require", {"dsn": "postgresql://u:p@h/d?sslmode=require"}),
    "Node": ("postgres://u:p@h/d?ssl=true", {"dsn": "postgresql://u:p@h/d?sslmode=require"}),
    "certificates": (
        f"{BASE}?sslmode=verify-full&sslrootcert=/a/ca.pem&sslcert=/a/c.pem&sslkey=/a/c.key",
        {"dsn": f"{BASE}?sslmode=verify-full&sslrootcert=%2Fa%2Fca.pem&sslcert=%2Fa%2Fc.pem&sslkey=%2Fa%2Fc.key"},
    ),
    "Neon": (
        f"{BASE}?sslmode=verify-full&sslrootcert=system&channel_binding=require",
        {"dsn": f"{BASE}?sslmode=verify-full", "trusts_system": True},
    ),
    "Neon without names in TLS": (f"{BASE}?options=endpoint%3Dep-1", {"options": "endpoint=ep-1", "settings": {}}),
    "options": (
        f"{BASE}?options=-c%20search_path%3Da,b%20-c%20geqo=off%20--work-mem=8MB",
        {"dsn": BASE, "options": "", "settings": {"search_path": "a,b", "geqo": "off", "work_mem": "8MB"}},
    ),
    "setting": (f"{BASE}?application_name=mine", {"dsn": BASE, "settings": {"application_name": "mine"}}),
    "time to connect": (f"{BASE}?connect_timeout=10", {"dsn": BASE, "seconds": 10.0}),
    "no time to connect": (f"{BASE}?connect_timeout=0", {"seconds": 5.0}),
    "Prisma": (f"{BASE}?pgbouncer=true", {"dsn": BASE, "pooler": Pooler.TRANSACTION}),
    "what may be left out": (f"{BASE}?gssencmode=disable&keepalives=1&channel_binding=prefer", {"dsn": BASE}),
    "several hosts": (
        "postgresql://u:p@h1:1,h2:2/d",
        {"dsn": "postgresql://u:p@h1:1,h2:2/d?target_session_attrs=read-write", "place": "h1:1,h2:2"},
    ),
    "several hosts, any": (
        "postgresql://u:p@h1:1,h2:2/d?target_session_attrs=any",
        {"dsn": "postgresql://u:p@h1:1,h2:2/d?target_session_attrs=any"},
    ),
    "several hosts as SQLAlchemy has them": (
        "postgresql://u:p@/d?host=h1:1&host=h2:2",
        {"dsn": "postgresql://u:p@/d?host=h1%3A1%2Ch2%3A2&target_session_attrs=read-write"},
    ),
    "socket": (
        "postgresql://u@/d?host=/var/run/postgresql&port=5433",
        {"dsn": "postgresql://u@/d?host=%2Fvar%2Frun%2Fpostgresql&port=5433", "place": "/var/run/postgresql"},
    ),
    "Cloud SQL": (
        "postgresql://u:p@localhost/d?host=/cloudsql/p:r:i",
        {"dsn": "postgresql://u:p@/d?host=%2Fcloudsql%2Fp%3Ar%3Ai", "place": "/cloudsql/p:r:i"},
    ),
    "socket with the port of the host before": (
        "postgresql://u:p@localhost:5433/d?host=/run",
        {"dsn": "postgresql://u:p@/d?host=%2Frun&port=5433"},
    ),
    "everything twice": (
        "postgresql://u:p@h:1/d?user=v&password=%40&port=2&dbname=e",
        {"dsn": "postgresql://h:2?user=v&password=%40&dbname=e", "place": "h:2", "name": "e", "password": "@"},
    ),
    "user twice": (
        "postgresql://u:p%40@h/d?user=v",
        {"dsn": "postgresql://h/d?user=v&password=p%40", "password": "p@"},
    ),
    "one port for all": (
        "postgresql://u:p@h1,h2/d?port=7&target_session_attrs=any",
        {"dsn": "postgresql://u:p@h1:7,h2:7/d?target_session_attrs=any", "place": "h1:7,h2:7"},
    ),
    "IPv6": ("postgresql://u:p@[::1]:5433/d", {"dsn": "postgresql://u:p@[::1]:5433/d", "place": "[::1]:5433"}),
    "service": ("postgresql:///?service=app", {"dsn": "postgresql:///?service=app", "place": "the default host"}),
}


@pytest.mark.parametrize(("url", "expected"), TAKEN.values(), ids=TAKEN)
def test_url_is_taken(url: str, expected: dict[str, Any]) -> None:
    found = parse_address(url)
    assert {name: getattr(found, name) for name in expected} == expected


REFUSED = {
    "no URL": ("hunter2", "is not a URL such as"),
    "another scheme": ("mysql://u:hunter2@h/d", "must start with postgresql://"),
    "no port": ("postgresql://u:hunter2@h:port/d", "is not a URL such as"),
    "open bracket": ("postgresql://u:hunter2@[::1/d", "is not a URL such as"),
    "@ in the password": ("postgresql://u:hun@ter2@h/d", "must be percent-encoded"),
    "# in the password": ("postgresql://u:hunter2#@h/d", "must be percent-encoded"),
    "/ in the password": ("postgresql://u:12/hunter2@h/d", "must be percent-encoded"),
    "? in the password": ("postgresql://u:12?hunter2@h/d", "is not name=value"),
    "channel binding": (f"{BASE}?sslmode=require&channel_binding=require", "use sslmode=verify-full instead"),
    "GSS": (f"{BASE}?gssencmode=require", "gssencmode=require, which the driver does not know"),
    "time to connect": (f"{BASE}?connect_timeout=hunter2", "connect_timeout that is not a number"),
    "address": (f"{BASE}?hostaddr=10.0.0.1", "hostaddr, which cannot be followed: give the address as the host"),
    "Prisma's pool": (f"{BASE}?connection_limit=1", "set DATABASE_POOL_SIZE"),
    "options": (f"{BASE}?options=-c%20a='hunter2", "options that are not like -c name=value"),
}


@pytest.mark.parametrize(("url", "said"), REFUSED.values(), ids=REFUSED)
def test_url_is_refused_without_showing_it(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        parse_address(url)
    assert "hunter2" not in str(raised.value)
    assert "ter2" not in str(raised.value)


def test_several_hosts_to_read_from_are_all_the_same() -> None:
    found = parse_address("postgresql://u:p@h1,h2/d", prefers="any")
    assert found.dsn == "postgresql://u:p@h1,h2/d?target_session_attrs=any"


def test_address_does_not_show_its_password() -> None:
    found = parse_address(BASE)
    assert found.password == "p@ss"
    assert "ss@" not in f"{found!r}"
    assert parse_address("postgresql://h/d?user=u&password=p%40ss").password == "p@ss"
    assert Address("postgresql://h/d").password is None
