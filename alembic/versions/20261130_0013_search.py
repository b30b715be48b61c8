"""Search: parts of what is joined are found, whatever the locale of the database

Revision ID: 0013
Revises: 0012
Create Date: 2026-11-30 14:00:00.000000
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0013"
down_revision: str | Sequence[str] | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def character_class(ranges: str) -> str:
    """A class of a regular expression, of ranges in hexadecimal digits."""
    found = (each.partition("-") for each in ranges.split())
    return "[" + "".join(f"\\U{first:0>8}" + (last and f"-\\U{last:0>8}") for first, _, last in found) + "]"


# As services/queries/searching.py has them, for whose searches this splits texts.
SEPARATORS = character_class(
    "1-2f 3a-40 5b-60 7b-a9 ab-b4 b6-b9 bb-bf d7 f7 "
    "37e 387 55a-55f 589-58a 5be 5c0 5c3 5c6 5f3-5f4 600-60f 61b-61f 66a-66d 6d4 964-965 970 e3f e4f e5a-e5b 104a-104f "
    "10fb 1360-1368 166d-166e 1735-1736 17d4-17db 1800-180a "
    "2000-206f 20a0-20cf 2190-2bff 2e00-2e7f "
    "3000-3004 3008-3020 3030 303d 30a0 30fb 3200-33ff "
    "e000-f8ff fd3e-fd3f fe00-fe19 fe30-fe6f feff-ff0f ff1a-ff20 ff3b-ff40 ff5b-ff65 ffe0-ffff "
    "1d000-1d1ff 1f000-1fbff e0000-e007f"
)
ALONE = character_class(
    "e01-e3a e40-e4e e81-ecd 1000-1049 1050-109d 1780-17d3 "
    "3005-3006 3031-3035 3041-3096 309d-309f 30a1-30fa 30fc-30ff 3105-312f 31a0-31bf ac00-d7a3 3400-4dbf 4e00-9fff "
    "f900-faff 20000-3ffff"
)
ACCENTS = character_class("300-36f")

PLAIN = "normalize(gateway_fold(normalize(given, nfkc)), nfd)"
WORDS = f"""
create function gateway_words(given text) returns text language sql immutable parallel safe
return case
  when octet_length(given) = char_length(given)
    then regexp_replace(lower(given collate "C"), '[^a-z0-9]+' collate "C", ' ', 'g')
  else regexp_replace(
    regexp_replace(
      normalize(regexp_replace({PLAIN} collate "C", '{ACCENTS}', '', 'g'), nfc) collate "C", '{SEPARATORS}', ' ', 'g'
    ) collate "C", '{ALONE}', ' \\& ', 'g'
  )
end
"""

# Every generated search vector, be it of a package outside this repository, is made anew, and with it its indexes.
REBUILD = """
do $$
declare
  found record;
  indexes text[];
  definition text;
begin
  for found in
    select c.oid, c.oid::regclass as name, a.attnum, pg_get_expr(d.adbin, d.adrelid) as expression
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'search_vector' and a.attgenerated = 's'
    join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'
  loop
    indexes := array(
      select pg_get_indexdef(indexrelid) from pg_index where indrelid = found.oid and found.attnum = any(indkey)
    );
    execute format('alter table %s drop column search_vector', found.name);
    execute format(
      'alter table %s add column search_vector tsvector generated always as (%s) stored', found.name,
      regexp_replace(found.expression, {pattern}, {replacement}, 'g')
    );
    foreach definition in array indexes loop
      execute definition;
    end loop;
  end loop;
end $$
"""
ADD = {
    "pattern": r"""$r$to_tsvector\('english'::regconfig, (.*?)\), '([A-D])'$r$""",
    "replacement": r"""$r$to_tsvector('english'::regconfig, gateway_words(\1)), '\2'$r$""",
}
REMOVE = {
    "pattern": r"""$r$gateway_words\((.*?)\)\), '([A-D])'$r$""",
    "replacement": r"""$r$\1), '\2'$r$""",
}


def upgrade() -> None:
    op.execute(WORDS)
    op.execute(REBUILD.format(**ADD))


def downgrade() -> None:
    op.execute(REBUILD.format(**REMOVE))
    op.execute("drop function gateway_words(text)")
