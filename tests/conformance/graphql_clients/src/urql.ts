// urql with the documents of the client preset: fragments are masked, files go by urql's own multipart requests.

import { Client, fetchExchange } from "@urql/core";
import * as made from "../generated/preset/graphql.js";
import { useFragment } from "../generated/preset/index.js";
import { BATCH, CREDENTIALS, PREFLIGHTED, URL, file, present, problem, shown, tell, type Told } from "./shared.js";

let token = "";
const client = new Client({
  url: URL,
  exchanges: [fetchExchange],
  preferGetMethod: false,
  fetchOptions: () => ({ headers: { ...PREFLIGHTED, ...(token ? { Authorization: `Bearer ${token}` } : {}) } }),
});

const login = present((await client.mutation(made.LoginDocument, { input: CREDENTIALS }).toPromise()).data?.login);
token = login.tokenPair.accessToken;

async function create(input: made.CreateItemInput): Promise<made.ItemPartsFragment> {
  const { data } = await client.mutation(made.CreateItemDocument, { input });
  return useFragment(made.ItemPartsFragmentDoc, present(data?.createItem).item);
}

async function update(input: made.UpdateItemInput): Promise<made.ItemPartsFragment> {
  const { data } = await client.mutation(made.UpdateItemDocument, { input });
  return useFragment(made.ItemPartsFragmentDoc, present(data?.updateItem).item);
}

async function page(after: string | null): Promise<NonNullable<made.ListItemsQuery["items"]>> {
  const { data } = await client.query(made.ListItemsDocument, {
    first: 2,
    after,
    filter: { and: [{ title: { startsWith: BATCH } }, { not: { status: { in: ["DONE", "ARCHIVED"] } } }] },
    orderBy: [{ field: "TITLE", direction: "DESC" }],
  });
  return present(data?.items);
}

async function pages(): Promise<Told["pages"]> {
  const found: Told["pages"] = [];
  let after: string | null = null;
  do {
    const { edges, pageInfo, totalCount } = await page(after);
    found.push({ titles: edges.map(({ node }) => useFragment(made.ItemPartsFragmentDoc, node).title.replace(BATCH, "")), totalCount });
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  } while (after !== null);
  return found;
}

async function find(id: string): Promise<unknown> {
  const node = present((await client.query(made.FindAnythingDocument, { id })).data?.node);
  return node.__typename === "Item" ? useFragment(made.ItemPartsFragmentDoc, node).status : node.__typename;
}

const created = await create({ title: `${BATCH}1` });
const { id, etag } = created;
await create({ title: `${BATCH}2` });
const due = await create({ title: `${BATCH}3`, dueAt: "2030-01-31T12:00:00Z", status: "IN_PROGRESS" });
const told = await update({ id, expectedVersion: etag, description: "told" });
const renamed = await update({ id, expectedVersion: told.etag, title: `${BATCH}0` });
const cleared = await update({ id, expectedVersion: renamed.etag, description: null });
const stale = await client.mutation(made.UpdateItemDocument, { input: { id, expectedVersion: etag, priority: 1 } });
const invalid = await client.mutation(made.CreateItemDocument, { input: { title: "" } });
const byFile = await client.mutation(made.UploadFileDocument, { file: file("engine.txt", "text/plain"), name: "named.txt" });
const byInput = await client.mutation(made.UploadByInputDocument, { input: { file: file("engine.txt", "text/plain") } });

tell({
  created: [created, due].map(shown),
  updated: [told.description, renamed.description, cleared.description],
  stale: problem(stale.error?.graphQLErrors),
  invalid: problem(invalid.error?.graphQLErrors),
  found: await find(id),
  pages: await pages(),
  uploads: [byFile.data?.uploadFile?.file, byInput.data?.uploadFile?.file].map((each) => [each?.name, each?.mediaType]),
});
