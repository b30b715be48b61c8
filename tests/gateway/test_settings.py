"""The settings refuse what would not work, name it, and never show what it holds."""

import itertools
import re
import secrets
import stat
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.errors import SettingsError
from gateway.secret import development_secret
from gateway.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
STRONG_KEY = secrets.token_urlsafe(48)
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": STRONG_KEY,
    "DATABASE_URL": "postgresql://gateway:hunter2@db.example.org/gateway",
    "REDIS_URL": "redis://:hunter2@cache.example.org",
}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the environment nor a `.env` of the machine that runs the tests takes part in them."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name, raising=False)


def use(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def refusal(monkeypatch: pytest.MonkeyPatch, **values: str) -> str:
    use(monkeypatch, values)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert raised.value.__cause__ is None
    return str(raised.value)


def test_example_file_lists_every_setting_with_its_default() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert re.findall(r"^([A-Z0-9_]+)=", text, re.MULTILINE) != []
    assert set(re.findall(r"^([A-Z0-9_]+)=", text, re.MULTILINE)) == set(Settings.model_fields)
    assert Settings(_env_file=ROOT / ".env.example") == Settings()


def test_example_file_explains_every_setting_in_a_line_above_it() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    unexplained = [line for before, line in itertools.pairwise(lines) if "=" in line and before[:1] != "#"]
    assert [line for line in unexplained if not line.startswith("#")] == []


def test_development_needs_no_setting_and_keeps_its_own_secret(tmp_path: Path) -> None:
    first, second = load_settings(), load_settings()
    assert first.secret_key == second.secret_key
    assert len(first.secret_key) == 64
    assert stat.S_IMODE((tmp_path / ".gateway" / "secret_key").stat().st_mode) == 0o600
    assert (first.DATABASE_URL, first.REDIS_URL, first.log_format) == (None, None, "console")


def test_secret_is_the_same_for_all_who_make_it_at_once(tmp_path: Path) -> None:
    found: set[str] = set()
    threads = [threading.Thread(target=lambda: found.add(development_secret(tmp_path / "data"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret_key"]


def test_damaged_secret_is_refused_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("short", encoding="ascii")
    with pytest.raises(SettingsError, match=r"secret_key is damaged"):
        development_secret(tmp_path)
    assert (tmp_path / "secret_key").read_text(encoding="ascii") == "short"


def test_production_with_everything_set_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, PRODUCTION)
    settings = load_settings()
    assert settings.secret_key == STRONG_KEY
    assert settings.log_format == "json"
    assert list(tmp_path.iterdir()) == []


def test_production_names_all_that_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = refusal(monkeypatch, ENVIRONMENT="production", SECRET_KEY="")
    assert [line.split()[0] for line in text.splitlines()] == ["SECRET_KEY", "DATABASE_URL", "REDIS_URL"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("SECRET_KEY", "x7Gq" * 7, "must be at least 32 bytes long"),
        ("SECRET_KEY", "changeme" * 6, "looks like a placeholder"),
        ("SECRET_KEY", "My-Super-Secret-Key-For-The-Whole-World", "looks like a placeholder"),
        ("SECRET_KEY", "a1b2c3d4e5f6" * 4, "repeats itself"),
        ("SECRET_KEY", "abacabadabacabaeabacabadabacabafcb", "repeats itself"),
        ("PASSWORD_HASH_TIME_COST", "1", "must be at least 3 in production"),
        ("PASSWORD_HASH_MEMORY_KIB", "1024", "must be at least 65536 in production"),
    ],
)
def test_weak_production_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str) -> None:
    text = refusal(monkeypatch, **{**PRODUCTION, name: value})
    assert text.startswith(f"{name} {complaint}")
    assert len(text.splitlines()) == 1
    assert value not in text.replace("65536", "")


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("DATABASE_URL", "mysql://root:hunter2@db/x", "must start with postgresql://"),
        ("DATABASE_URL", "hunter2", "is not a URL such as"),
        ("DATABASE_URL", "postgresql://u:p@db:hunter2/x", "is not a URL such as"),
        ("REDIS_URL", "http://:hunter2@cache", "must start with redis://"),
        ("REDIS_URL", "redis://hunter2:port/0", "is not a URL that redis-py takes"),
        ("REDIS_URL", "redis://:hunter2@host/0?nonsense=1", "is not a URL that redis-py takes"),
        ("REDIS_URL", "rediss://:hunter2@host/0?ssl_cert_reqs=CERT_NONE", "is not a URL that redis-py takes"),
        ("FILES_STORE", '{"key": "hunter2"', "is not JSON"),
        ("FILES_STORE", '{"key": ["hunter2"]}', "is not valid"),
        ("FILES_STORE", '"hunter2"', "is not valid"),
        ("SECRET_KEY", "hunter2", "must be at least 32 bytes long"),
        ("LOGIN_ATTEMPTS_PER_ACCOUNT", "hunter2", "is not a rate"),
        ("PERSISTED_WRITES", "hunter2", "is not a rate"),
        ("GRAPHQL_DOCUMENTS", "hunter2", "is not valid: "),
        ("PERSISTED_BYTES", "0", "is not valid: "),
        ("BACKEND_CORS_ORIGINS", "https://hunter2.example/path", "must hold origins"),
        ("BACKEND_CORS_ORIGINS", '["hunter2"', "is neither"),
        ("DATABASE_POOL_SIZE", "hunter2", "is not valid: "),
        ("DATABASE_POOL_SIZE", "0", "is not valid: "),
        ("GRAPHQL_BATCH", "hunter2", "is not valid: "),
        ("GRAPHQL_BATCH", "-1", "is not valid: "),
        ("MAX_BATCH_ENTRIES", "0", "is not valid: "),
        ("MAX_BATCH_ENTRIES", "501", "is not valid: "),
        ("GRAPHQL_WS_INIT_SECONDS", "0", "is not valid: "),
        ("GRAPHQL_WS_OPERATIONS", "0", "is not valid: "),
        ("GRAPHQL_WS_MESSAGE_BYTES", "0", "is not valid: "),
        ("BUDGET_PER_MINUTE", "-8", "is not valid: "),
        ("BUDGET_ANONYMOUS_PER_MINUTE", "hunter2", "is not valid: "),
        ("BUDGET_BURST_SECONDS", "hunter2", "is not valid: "),
        ("BUDGET_LEASE_SECONDS", "-8", "is not valid: "),
        ("GRAPHQL_COST_EXTENSION", "hunter2", "is not valid: "),
        ("ENVIRONMENT", "hunter2", "is not valid: "),
        ("ALGORITHM", "none", "is not valid: "),
        ("API_V1_STR", "hunter2", "is not valid: "),
    ],
)
def test_faulty_value_is_named_but_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, complaint: str
) -> None:
    text = refusal(monkeypatch, **{name: value})
    assert text.startswith(f"{name} {complaint}")
    assert text.endswith(".")
    assert "hunter2" not in text


def test_secrets_are_in_no_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, PRODUCTION)
    settings = load_settings()
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert "hunter2" not in shown
    assert STRONG_KEY not in shown


def test_empty_value_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, {"DATABASE_URL": "", "REDIS_URL": "", "SECRET_KEY": "", "VERSION": "", "LOG_FORMAT": ""})
    assert Settings() == Settings.model_construct(VERSION=Settings().VERSION)


def test_dotenv_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PROJECT_NAME=From file\nMAX_BODY_BYTES=1024\nOTHER_PROGRAM=1\n", encoding="utf-8")
    monkeypatch.setenv("MAX_BODY_BYTES", "2048")
    settings = load_settings()
    assert (settings.PROJECT_NAME, settings.MAX_BODY_BYTES) == ("From file", 2048)


@pytest.mark.parametrize("text", ["a.b, c.d,", '["a.b", "c.d"]'])
def test_list_is_commas_or_json(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("MODULES", text)
    assert load_settings().MODULES == ["a.b", "c.d"]


def test_origins_lose_their_closing_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKEND_CORS_ORIGINS", "https://app.example.org/,http://localhost:3000")
    assert load_settings().BACKEND_CORS_ORIGINS == ["https://app.example.org", "http://localhost:3000"]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
@pytest.mark.parametrize("mode", ["ssl", "sslmode"])
def test_database_url_is_one_for_every_reader(monkeypatch: pytest.MonkeyPatch, scheme: str, mode: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://user:p%40ss@db:5433/name?{mode}=require")
    settings = load_settings()
    assert settings.database.dsn == "postgresql://user:p%40ss@db:5433/name?sslmode=require"
    assert settings.database_for_reading == settings.database
    assert "p%40ss" not in repr(settings.database)


def test_url_that_nobody_set_is_an_error_of_its_own() -> None:
    with pytest.raises(SettingsError, match=r"^REDIS_URL is not set"):
        _ = load_settings().redis_url


def test_command_line_says_what_is_wrong_and_exits_with_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, {**PRODUCTION, "SECRET_KEY": "hunter2"})
    result = CliRunner().invoke(app, ["serve"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "SECRET_KEY must be at least 32 bytes long.\n"
    assert list(tmp_path.iterdir()) == []


def test_demo_is_refused_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, PRODUCTION)
    result = CliRunner().invoke(app, ["serve", "--demo"])
    assert (result.exit_code, result.stderr) == (1, "--demo is refused in production: its password is public.\n")
