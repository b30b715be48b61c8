"""Text: Normalization Form C, and comparing without regard to case by full case folding

Revision ID: 0012
Revises: 0011
Create Date: 2026-11-30 13:50:00.000000
"""

# ruff: noqa: RUF001 - the letters are those of all alphabets

from collections.abc import Sequence

from alembic import op

revision: str = "0012"
down_revision: str | Sequence[str] | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ENCODING = """
do $$ begin
  if pg_encoding_to_char((select encoding from pg_database where datname = current_database())) <> 'UTF8' then
    raise exception 'The database has the encoding %, and text of every language needs UTF8. Create one with: create database name encoding ''UTF8'' template template0.',
      pg_encoding_to_char((select encoding from pg_database where datname = current_database()));
  end if;
end $$
"""

# Case folding is lower(), whose tables every version of PostgreSQL has somewhere, and what it leaves out: first the two
# that are common, then the rare ones, among them whatever is not in NFC any more when it is folded.
ONE = {
    "ς": "σ", "ſ": "s", "µ": "μ", "ϐ": "β", "ϑ": "θ", "ϕ": "φ", "ϖ": "π", "ϰ": "κ", "ϱ": "ρ", "ϵ": "ε",
    "ᲀ": "в", "ᲁ": "д", "ᲂ": "о", "ᲃ": "с", "ᲄ": "т", "ᲅ": "т", "ᲆ": "ъ", "ᲇ": "ѣ", "ᲈ": "ꙋ",
}  # fmt: skip
SEVERAL = {
    "ß": "ss", "ŉ": "ʼn", "և": "եւ", "ẚ": "aʾ", "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st",
    "ﬆ": "st", "ﬓ": "մն", "ﬔ": "մե", "ﬕ": "մի", "ﬖ": "վն", "ﬗ": "մխ", "\u0345": "ι",
}  # fmt: skip
RARE = "[µİŉſ\u0300-\u036fϐϑϕϖϰϱϵևᲀ-ᲈẚẛᾀ-ᾯᾲ-ᾴᾷᾼῂ-ῄῇῌῲ-ῴῷῼﬀ-ﬆﬓ-ﬗ]"


def lowered(text: str) -> str:
    """SQL of a text in lower case, by the collation that is filled in; compared by its bytes from there on."""
    return f'lower({text} collate pg_catalog.%1$I) collate "C"'


def folding() -> str:
    """SQL of what the function returns."""
    rare = lowered("replace(given, 'İ', 'i\u0307')")
    rare = f"normalize({rare}, nfd)"
    for one, several in SEVERAL.items():
        rare = f"replace({rare}, '{one}', '{several}')"
    rare = f"normalize(translate({rare}, '{''.join(ONE)}', '{''.join(ONE.values())}'), nfc)"
    usual = f"replace(replace({lowered('given')}, 'ς', 'σ'), 'ß', 'ss')"
    return f"""case
        when octet_length(given) = char_length(given) then lower(given collate "C")
        when given collate "C" !~ '{RARE}' then {usual}
        else {rare}
      end"""


def folding_function() -> str:
    """SQL that makes the function by the first collation that knows the letters of all alphabets."""
    return f"""
do $do$
declare
  name text;
  knows boolean := false;
begin
  for name in
    select collname from pg_collation
    where collnamespace = 'pg_catalog'::regnamespace and collisdeterministic
      and collencoding in (-1, pg_char_to_encoding('UTF8')) and collname !~ '^(tr|az|lt|default|C|POSIX|ucs_basic)($|_|-)'
    order by collname <> 'pg_c_utf8', collname <> 'und-x-icu', collname !~* '^c\\.utf-?8$', collname !~ '^en_US', collname
  loop
    execute format('select lower(%L collate pg_catalog.%I) = %L', 'ÀĐŁẞΑΣΩЖЯԱꙀ𐐀', name, 'àđłßασωжяաꙁ𐐨') into knows;
    exit when knows;
  end loop;
  if not knows then
    raise exception 'PostgreSQL has no collation here that knows upper and lower case of all alphabets: it needs version 17, ICU, or a locale such as C.UTF-8 of its system.';
  end if;
  execute format($function$
    create function gateway_fold(given text) returns text language sql immutable parallel safe
    return {folding()}
  $function$, name);
end
$do$
"""  # noqa: S608 - all of it is ours


# The most characters of each, or bytes of a file's name: what would be longer in NFC, as few texts are, stays.
TEXTS: dict[str, dict[str, str]] = {
    "users": {"full_name": "char_length({}) <= 200", "email": "char_length({}) <= 254"},
    "workspaces": {"name": "char_length({}) <= 100"},
    "api_keys": {"name": "char_length({}) <= 100"},
    "invitations": {"email": "char_length({}) <= 254"},
    "mail_tokens": {"email": "char_length({}) <= 254"},
    "files": {"name": "octet_length({}) <= 255"},
    "labels": {"name": "char_length({}) <= 50"},
    "items": {"title": "char_length({}) <= 200", "description": "true"},
    "comments": {"body": "char_length({}) <= 10000"},
}
# What is written counts as changed.
TOUCHED = {
    **dict.fromkeys(("users", "workspaces", "labels", "comments"), "updated_at = now()"),
    "items": "updated_at = now(), version = version + 1",
}


def normalising(table: str) -> str:
    """SQL that brings a table's texts into NFC."""
    changes, wanted = [TOUCHED[table]] if table in TOUCHED else [], []
    for column, fits in TEXTS[table].items():
        form = f"normalize({column}, nfc)"
        other = f"(octet_length({column}) > char_length({column}) and {column} is not nfc normalized and {fits.format(form)})"
        changes.append(f"{column} = case when {other} then {form} else {column} end")
        wanted.append(other)
    return f"update {table} set {', '.join(changes)} where {' or '.join(wanted)}"  # noqa: S608 - their names are ours


# Two labels of a workspace may be one from now on: the younger ones get a number.
RENAMING = """
do $$
declare
  number integer := 2;
begin
  loop
    update labels set name = left(labels.name, 49 - char_length(number::text) - 2) || ' (' || number || ')', updated_at = now()
    from (select id, row_number() over (partition by workspace_id, gateway_fold(name) order by created_at, id) as place from labels) l
    where l.id = labels.id and l.place = 2;
    exit when not found;
    number := number + 1;
  end loop;
end $$
"""

# Accounts are not changed behind their users' backs.
ACCOUNTS = """
do $$
declare
  several text;
begin
  select string_agg('usr_' || replace(id::text, '-', ''), ', ' order by id) into several
  from users group by gateway_fold({column}) having count(*) > 1 limit 1;
  if several is not null then
    raise exception 'These accounts have the same {words} but for upper and lower case: %. Change all but one of them, and migrate again.', several;
  end if;
end $$
"""

INVITATIONS = """
delete from invitations using (
  select id, row_number() over (partition by workspace_id, gateway_fold(email) order by created_at desc, id desc) as place from invitations
) i where i.id = invitations.id and i.place > 1
"""

NAMES = {
    "uq_users_email": ("users", "email", ""),
    "uq_users_username": ("users", "username", ""),
    "uq_invitations_workspace_id": ("invitations", "email", "workspace_id, "),
    "uq_labels_workspace_id_name": ("labels", "name", "workspace_id, "),
}


def upgrade() -> None:
    op.execute(ENCODING)
    op.execute(folding_function())
    for index in NAMES:
        op.execute(f"drop index {index}")
    for table in TEXTS:
        op.execute(normalising(table))
    op.execute(RENAMING)
    op.execute(ACCOUNTS.format(column="email", words="e-mail address"))
    op.execute(ACCOUNTS.format(column="username", words="user name"))
    op.execute(INVITATIONS)
    for index, (table, column, first) in NAMES.items():
        op.execute(f"create unique index {index} on {table} ({first}gateway_fold({column}))")


def downgrade() -> None:
    for index, (table, column, first) in NAMES.items():
        op.execute(f"drop index {index}")
        op.execute(f"create unique index {index} on {table} ({first}lower({column}))")
    op.execute("drop function gateway_fold(text)")
