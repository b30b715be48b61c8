"""Where a PostgreSQL database is, out of a URL as libpq reads it and as hosted databases print it.

asyncpg reads most of what libpq does, and takes any other name of the query for a setting of the server. So here such
names of libpq are judged that asyncpg does not know: taken, left out where leaving them out does no harm, or refused
with a sentence. Writing, reading, the worker and Alembic all connect by what comes of it (connecting.py).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, NoReturn
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

SCHEMES: Final = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})
CONNECT_SECONDS: Final = 5.0
DEFAULT_PORT: Final = 5432
FORM: Final = "is not a URL such as postgresql://user:password@host:5432/name"
PRIMARY: Final = "read-write"
PREFER_STANDBY: Final = "prefer-standby"

_OF_THE_DRIVER: Final = frozenset({
    "host", "port", "dbname", "database", "user", "password", "passfile", "service", "sslmode", "sslcert", "sslkey",
    "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation", "ssl_min_protocol_version", "ssl_max_protocol_version",
    "target_session_attrs", "krbsrvname", "gsslib",
})  # fmt: skip
_WITHOUT_EFFECT: Final = frozenset({
    "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "sslsni",
    "sslcompression", "client_encoding", "fallback_application_name", "load_balance_hosts",
})  # fmt: skip
"""What tunes libpq, and changes neither which server answers nor how it is known to be the right one."""
_REFUSED: Final[Mapping[str, str]] = {
    "hostaddr": "give the address as the host",
    "require_auth": "the driver cannot choose how it is asked to prove itself",
    "requirepeer": "the driver cannot check the owner of a socket",
    "sslcrldir": "give one file, as sslcrl",
    "sslcertmode": "the driver sends a certificate if sslcert is given",
    "replication": "this is no connection for replication",
    "connection_limit": "set DATABASE_POOL_SIZE and DATABASE_READ_POOL_SIZE",
    "pool_timeout": "a request waits 5 seconds for a connection",
    "schema": "use options=-csearch_path%3Dname",
}
_MODES: Final = {"true": "require", "1": "require", "false": "disable", "0": "disable"}
_TARGETS: Final = ("any", "read-write", "read-only", "primary", "standby", PREFER_STANDBY)
_TRUE: Final = frozenset({"true", "1", "on", "yes"})
_HOST: Final = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:\d*)?")
_SETTING: Final = re.compile(r"(?:-c\s*|--)([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)


class Pooler(StrEnum):
    """What is between the gateway and PostgreSQL."""

    NONE = "none"
    SESSION = "session"
    """A client has a connection of the server's to itself for as long as it is connected."""
    TRANSACTION = "transaction"
    """A client has one for the length of a transaction."""


@dataclass(frozen=True, slots=True)
class Address:
    """A database, and how connections to it are made.

    `dsn` is a URL of only what asyncpg knows, with the password; `settings` are those of the server that the URL asks
    for, `options` what else is meant for it. `seconds` is how long connecting to one host may take. Of several `hosts`,
    names and ports, one is taken that is as `target_session_attrs` wants, or any of them where that is only preferred.
    """

    dsn: str = field(repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)
    options: str = ""
    seconds: float = CONNECT_SECONDS
    pooler: Pooler = Pooler.NONE
    trusts_system: bool = False
    """Whether the server's certificate is checked against the certificates that the system trusts."""
    place: str = ""
    """Its host and port, to be shown."""
    name: str = ""
    hosts: Sequence[tuple[str, int]] = ()
    """Where there are several."""
    takes_any: bool = False

    @property
    def password(self) -> str | None:
        """The password in the URL, as it is."""
        written = urlsplit(self.dsn).netloc.rpartition("@")[0].partition(":")[2]
        return unquote(written) if written else self.given("password")

    def given(self, name: str) -> str | None:
        """What the URL says under this name behind its `?`."""
        return dict(parse_qsl(urlsplit(self.dsn).query)).get(name)

    def behind(self, pooler: Pooler | None) -> Address:
        """The same address behind this pooler, if one is given."""
        return self if pooler is None else replace(self, pooler=pooler)


def parse_address(url: str, *, prefers: str = PRIMARY) -> Address:
    """The address in a URL.

    Args:
        url: as libpq takes it (PostgreSQL's documentation, "Connection URIs"), the scheme also `postgresql+asyncpg`.
        prefers: which of several hosts is wanted if the URL does not say (`target_session_attrs`).

    Raises:
        ValueError: half a sentence about what is wrong, which shows no value.
    """
    authority, path, query = _split(url)
    asked = _asked(query)
    given = {name: asked.pop(name) for name in list(asked) if name in _OF_THE_DRIVER}
    if not re.fullmatch(r"[\d,]*", given.get("port", "")):
        _bad_form()
    authority, path = _overridden(authority, path, given)
    hosts = given.get("host") or authority.rpartition("@")[2]
    if given.get("target_session_attrs", prefers) not in _TARGETS:
        raise ValueError(f"has target_session_attrs that is none of {', '.join(_TARGETS)}")
    takes_any = "," in hosts and given.get("target_session_attrs") in (None, PREFER_STANDBY)
    if "," in hosts:
        given.setdefault("target_session_attrs", prefers)
    trusts_system = given.get("sslrootcert") == "system"
    if trusts_system:
        del given["sslrootcert"]
        given["sslmode"] = "verify-full"
    if asked.pop("channel_binding", "") == "require" and given.get("sslmode") != "verify-full":
        raise ValueError(
            "has channel_binding=require, which the driver does not know: use sslmode=verify-full instead, with"
            " sslrootcert=system or the file of the authority's certificate"
        )
    if asked.pop("gssencmode", "") == "require":
        raise ValueError("has gssencmode=require, which the driver does not know")
    seconds = _seconds(asked.pop("connect_timeout", ""))
    pooled = asked.pop("pgbouncer", "").lower() in _TRUE
    settings, options = _settings(asked.pop("options", ""))
    return Address(
        f"postgresql://{authority}{path}" + (f"?{urlencode(given, quote_via=quote)}" if given else ""),
        {**settings, **asked}, options, seconds, Pooler.TRANSACTION if pooled else Pooler.NONE, trusts_system,
        _place(hosts, given.get("port", "")), path.removeprefix("/") or given.get("dbname", ""),
        _several(hosts, given.get("port", "")), takes_any,
    )  # fmt: skip


def _split(url: str) -> tuple[str, str, str]:
    """Authority, path and query of a URL."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        _bad_form()
    if parts.scheme not in SCHEMES:
        raise ValueError("must start with postgresql://" if "://" in url else FORM)
    if parts.fragment or parts.netloc.count("@") > 1 or ("@" in parts.path and "@" not in parts.netloc):
        raise ValueError(
            "has a character in its user name or password that must be percent-encoded:"
            " %40 for @, %2F for /, %3F for ?, %23 for #"
        )
    if not all(_HOST.fullmatch(each) for each in parts.netloc.rpartition("@")[2].split(",")):
        _bad_form()
    return parts.netloc, parts.path, parts.query


def _overridden(authority: str, path: str, given: dict[str, str]) -> tuple[str, str]:
    """Authority and path without what the query says otherwise: in libpq the query wins, in the driver the authority.

    `postgresql://u:p@localhost/name?host=/cloudsql/…` leads to the socket.
    """
    who, at, hosts = authority.rpartition("@")
    user, _, password = who.partition(":")
    if given.keys() & {"user", "password"}:
        own = {"user": unquote(user), "password": unquote(password)}
        given.update({name: value for name, value in own.items() if value and name not in given})
        who = at = ""
    places = [_HOST.fullmatch(each) for each in hosts.split(",")]
    ports = ",".join((each[2] or "")[1:] for each in places if each)
    if "host" in given:
        if "port" not in given and ports.strip(","):
            given["port"] = ports
        hosts = ""
    elif hosts and "port" in given:
        wanted = given.pop("port").split(",")
        wanted *= len(places) if len(wanted) == 1 else 1
        if len(wanted) != len(places):
            _bad_form()
        hosts = ",".join(f"{each[1]}:{port}" for each, port in zip(places, wanted, strict=True) if each)
    named = given.keys() & {"dbname", "database"}
    return f"{who}{at}{hosts}", "" if named else path


def _bad_form() -> NoReturn:
    raise ValueError(FORM) from None


def _asked(query: str) -> dict[str, str]:
    """The names of a query and their values; `host` may come several times, of any other name the last one counts."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ValueError("has something behind its ? that is not name=value") from None
    asked = {name: value for name, value in pairs if value}
    hosts = [value for name, value in pairs if name == "host" and value]
    if hosts:
        asked["host"] = ",".join(hosts)
    if "ssl" in asked:  # as SQLAlchemy, and drivers of other languages, have it
        mode = asked.pop("ssl")
        asked.setdefault("sslmode", _MODES.get(mode, mode))
    for name in asked:
        if name in _REFUSED:
            raise ValueError(f"has {name}, which cannot be followed: {_REFUSED[name]}")
    return {name: value for name, value in asked.items() if name not in _WITHOUT_EFFECT}


def _seconds(text: str) -> float:
    """libpq's `connect_timeout`, where 0 or less means no limit of its own."""
    try:
        seconds = int(text or 0)
    except ValueError:
        raise ValueError("has a connect_timeout that is not a number of seconds") from None
    return float(seconds) if seconds > 0 else CONNECT_SECONDS


def _settings(options: str) -> tuple[dict[str, str], str]:
    """The settings in libpq's `options` (`-c name=value`), and what else is there."""
    try:
        words = shlex.split(options)
    except ValueError:
        raise ValueError("has options that are not like -c name=value") from None
    settings, others = dict[str, str](), list[str]()
    words.reverse()
    while words:
        word = words.pop()
        if word == "-c" and words:
            word += words.pop()
        found = _SETTING.fullmatch(word)
        if found:
            settings[found[1].replace("-", "_")] = found[2]
        else:
            others.append(word)
    return settings, " ".join(others)


def _place(hosts: str, port: str) -> str:
    if not hosts:
        return "the default host"
    if hosts.startswith(("/", "%2F", "%2f")) or "," in hosts or re.search(r":\d+$", hosts):
        return hosts
    return f"{hosts}:{port or DEFAULT_PORT}"


def _several(hosts: str, port: str) -> Sequence[tuple[str, int]]:
    """Hosts and their ports, if they are more than one."""
    places, ports = hosts.split(","), port.split(",")
    if len(places) == 1:
        return ()
    ports *= len(places) if len(ports) == 1 else 1
    if len(ports) != len(places):
        _bad_form()
    found = []
    for place, common in zip(places, ports, strict=True):
        host, own = place, ""
        if not place.startswith("/"):
            host, _, own = place.rpartition(":") if re.search(r":\d*$", place) else (place, "", "")
        found.append((unquote(host).strip("[]"), int(own or common or DEFAULT_PORT)))
    return tuple(found)
