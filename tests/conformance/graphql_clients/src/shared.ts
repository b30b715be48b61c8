// What the clients have in common: where they call, and what each of them tells of its calls.

export const URL = process.env["GRAPHQL_URL"] ?? "";
export const CREDENTIALS = { username: process.env["USERNAME"] ?? "", password: process.env["PASSWORD"] ?? "" };
/** What a browser asks leave to send: forms must have it. */
export const PREFLIGHTED = { "Apollo-Require-Preflight": "true" };
/** Titles of this run alone begin so. */
export const BATCH = process.env["BATCH"] ?? "";

/** What each client tells of its calls, in JSON. */
export interface Told {
  created: unknown[];
  updated: (string | null)[];
  stale: unknown;
  invalid: unknown;
  found: unknown;
  pages: { titles: string[]; totalCount: number }[];
  uploads: unknown[];
}

/** The members of the one problem among GraphQL errors that programs look at. */
export function problem(errors: readonly { extensions?: Record<string, unknown> | undefined }[] | undefined): unknown {
  const { code, status, errors: fields = [] } = errors?.[0]?.extensions ?? {};
  return { code, status, fields: (fields as { field: string; code: string }[]).map((each) => [each.field, each.code]) };
}

interface Item {
  title: string;
  description: string | null;
  // Null where this version of the gateway does not know the value.
  status: string | null;
  priority: number;
  dueAt: string | null;
  labels: { nodes: { name: string }[] } | null;
}

/** What is told of an item. */
export function shown({ title, description, status, priority, dueAt, labels }: Item): unknown {
  return { title: title.replace(BATCH, ""), description, status, priority, dueAt, labels: labels?.nodes };
}

export function present<T>(value: T | null | undefined): T {
  if (value == null) throw new Error("a value is missing");
  return value;
}

export function file(name: string, type: string): File {
  return new File(["carried by a client"], name, { type });
}

export function tell(told: Told): void {
  console.log(JSON.stringify(told));
}
