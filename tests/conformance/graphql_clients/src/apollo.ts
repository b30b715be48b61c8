// Apollo Client with typed documents: pages are merged by relayStylePagination, files go by apollo-upload-client.

import { ApolloClient, InMemoryCache } from "@apollo/client";
import { CombinedGraphQLErrors } from "@apollo/client/errors";
import { SetContextLink } from "@apollo/client/link/context";
import { relayStylePagination } from "@apollo/client/utilities";
import UploadHttpLink from "apollo-upload-client/UploadHttpLink.mjs";
import * as made from "../generated/documents.js";
import { BATCH, CREDENTIALS, PREFLIGHTED, URL, file, present, problem, shown, tell } from "./shared.js";

let token = "";
const signedIn = new SetContextLink(({ headers }) => ({
  headers: token ? { ...headers, Authorization: `Bearer ${token}` } : { ...headers },
}));
const client = new ApolloClient({
  link: signedIn.concat(new UploadHttpLink({ uri: URL, headers: PREFLIGHTED })),
  cache: new InMemoryCache({
    possibleTypes: { Node: ["Item", "Workspace"] },
    typePolicies: { Query: { fields: { items: relayStylePagination(["filter", "orderBy"]) } } },
  }),
});

const login = await client.mutate({ mutation: made.LoginDocument, variables: { input: CREDENTIALS } });
token = present(login.data?.login).tokenPair.accessToken;

async function create(input: made.CreateItemInput): Promise<made.ItemPartsFragment> {
  const { data } = await client.mutate({ mutation: made.CreateItemDocument, variables: { input } });
  return present(data?.createItem).item;
}

async function update(input: made.UpdateItemInput): Promise<made.ItemPartsFragment> {
  const { data } = await client.mutate({ mutation: made.UpdateItemDocument, variables: { input } });
  return present(data?.updateItem).item;
}

/** The problem that a mutation is refused with. */
async function refused(running: Promise<unknown>): Promise<unknown> {
  const error: unknown = await running.then(() => null, (thrown: unknown) => thrown);
  return CombinedGraphQLErrors.is(error) ? problem(error.errors) : error;
}

const created = await create({ title: `${BATCH}1` });
const { id, etag } = created;
await create({ title: `${BATCH}2` });
const due = await create({ title: `${BATCH}3`, dueAt: "2030-01-31T12:00:00Z", status: "IN_PROGRESS" });
const told = await update({ id, expectedVersion: etag, description: "told" });
const renamed = await update({ id, expectedVersion: told.etag, title: `${BATCH}0` });
const cleared = await update({ id, expectedVersion: renamed.etag, description: null });

const variables: made.ListItemsQueryVariables = {
  first: 2,
  filter: { and: [{ title: { startsWith: BATCH } }, { not: { status: { in: ["DONE", "ARCHIVED"] } } }] },
  orderBy: [{ field: "TITLE", direction: "DESC" }],
};
const list = client.watchQuery({ query: made.ListItemsDocument, variables });
const first = present((await list.refetch()).data?.items);
await list.fetchMore({ variables: { after: first.pageInfo.endCursor } });
const merged = list.getCurrentResult();
const rest = merged.dataState === "complete" ? present(merged.data.items).edges.slice(first.edges.length) : [];

const found = present((await client.query({ query: made.FindAnythingDocument, variables: { id } })).data?.node);
const text = file("engine.txt", "text/plain");
const byFile = await client.mutate({ mutation: made.UploadFileDocument, variables: { file: text, name: "named.txt" } });
const byInput = await client.mutate({ mutation: made.UploadByInputDocument, variables: { input: { file: text } } });

tell({
  created: [created, due].map(shown),
  updated: [told.description, renamed.description, cleared.description],
  stale: await refused(client.mutate({
    mutation: made.UpdateItemDocument, variables: { input: { id, expectedVersion: etag, priority: 1 } },
  })),
  invalid: await refused(client.mutate({ mutation: made.CreateItemDocument, variables: { input: { title: "" } } })),
  found: found.__typename === "Item" ? found.status : found.__typename,
  pages: [first.edges, rest].map((edges) => ({ titles: edges.map(({ node }) => node.title.replace(BATCH, "")), totalCount: first.totalCount })),
  uploads: [byFile.data?.uploadFile?.file, byInput.data?.uploadFile?.file].map((each) => [each?.name, each?.mediaType]),
});
client.stop();
