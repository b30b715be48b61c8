// Reading and writing rows: plain SQL, prepared once on each connection by its name.
import { randomBytes } from "node:crypto";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 });

export async function query(name, text, values) {
  return (await pool.query({ name, text, values })).rows;
}

export function newKey() {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

const COLUMNS =
  "id, workspace_id, title, description, status, priority, due_at, creator_id, assignee_id, parent_id, version, created_at, updated_at";

export async function item(id) {
  return (await query("item", `select ${COLUMNS} from items where id = $1`, [id]))[0] ?? null;
}

export function items(first) {
  return query("items", `select ${COLUMNS} from items order by id desc limit $1`, [first]);
}

export function itemsByKey(keys) {
  return query("itemsByKey", `select ${COLUMNS} from items where id = any($1::uuid[])`, [keys]);
}

export function usersByKey(keys) {
  return query("users", "select id, username, full_name, created_at, updated_at from users where id = any($1::uuid[])", [keys]);
}

export function workspacesByKey(keys) {
  return query("workspaces", "select id, name, slug from workspaces where id = any($1::uuid[])", [keys]);
}

export function labelsOf(keys) {
  return query(
    "labels",
    `select l.id, l.workspace_id, l.name, l.color, l.created_at, l.updated_at, il.item_id from item_labels il
       join labels l on l.id = il.label_id where il.item_id = any($1::uuid[]) order by l.id desc`,
    [keys],
  );
}

export function commentsOf(keys, first) {
  return query(
    "comments",
    `select c.* from unnest($1::uuid[]) parent (id) cross join lateral (
       select id, item_id, author_id, body, created_at, updated_at from comments
        where item_id = parent.id order by id desc limit $2) c`,
    [keys, first],
  );
}

export function childrenOf(keys, first) {
  return query(
    "children",
    `select c.* from unnest($1::uuid[]) parent (id) cross join lateral (
       select ${COLUMNS} from items where parent_id = parent.id order by id desc limit $2) c`,
    [keys, first],
  );
}

export async function createItem({ workspace_id, title, description = null, status = "open", priority = 0, creator_id }) {
  const text = `insert into items (id, workspace_id, title, description, status, priority, creator_id, version, created_at, updated_at)
    values ($1, $2, $3, $4, $5, $6, $7, 1, now(), now()) returning ${COLUMNS}`;
  return (await query("createItem", text, [newKey(), workspace_id, title, description, status, priority, creator_id]))[0];
}
