// Relay: three rows are made, then two pages of a list are read, which `@connection` makes one list in the store, and a row is found by `node`.

import {
  Environment, Network, RecordSource, Store, commitMutation, createOperationDescriptor, getRequest, getSingularSelector,
  type ConcreteRequest, type ReaderFragment, type Variables,
} from "relay-runtime";
import itemsFragment, { type page_items$data } from "./generated/page_items.graphql";
import itemFragment, { type page_item$data } from "./generated/page_item.graphql";
import create, { type pageCreateMutation, type CreateItemInput } from "./generated/pageCreateMutation.graphql";
import firstPage, { type pageItemsQuery$variables } from "./generated/pageItemsQuery.graphql";
import nextPage, { type pageMoreItemsQuery$variables } from "./generated/pageMoreItemsQuery.graphql";
import oneItem from "./generated/pageOneItemQuery.graphql";

const { GRAPHQL_URL = "", USERNAME = "", PASSWORD = "", BATCH = "" } = process.env;
const LOGIN = "mutation Login($input: LoginInput!) { login(input: $input) { tokenPair { accessToken } } }";

async function post(query: string, variables: unknown, token = ""): Promise<any> {
  const headers = { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(GRAPHQL_URL, { method: "POST", headers, body: JSON.stringify({ query, variables }) });
  return answer.json();
}

async function main(): Promise<void> {
  const login = await post(LOGIN, { input: { username: USERNAME, password: PASSWORD } });
  const token: string = login.data.login.tokenPair.accessToken;
  const network = Network.create(({ text }, variables) => post(text ?? "", variables, token));
  const environment = new Environment({ network, store: new Store(new RecordSource()) });

  async function run<T extends Variables>(request: ConcreteRequest, variables: T): Promise<unknown> {
    const operation = createOperationDescriptor(getRequest(request), variables);
    environment.retain(operation);
    await environment.execute({ operation }).toPromise();
    return environment.lookup(operation.fragment).data;
  }

  function read<T>(fragment: ReaderFragment, key: unknown): T {
    const selector = getSingularSelector(fragment, key);
    if (selector == null) throw new Error(`nothing of ${fragment.name}`);
    return environment.lookup(selector).data as T;
  }

  function make(input: CreateItemInput): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (_: unknown, errors: unknown): void => (errors ? reject(errors) : resolve());
      commitMutation<pageCreateMutation>(environment, { mutation: create, variables: { input }, onCompleted: done, onError: reject });
    });
  }

  for (const number of [1, 2, 3]) await make({ title: `${BATCH}${number}` });
  const filter = { title: { startsWith: BATCH } };
  const first: pageItemsQuery$variables = { first: 2, filter };
  const root = await run(firstPage, first);
  const page = read<page_items$data>(itemsFragment, root).items;
  const next: pageMoreItemsQuery$variables = { first: 2, filter, after: page?.pageInfo.endCursor ?? null };
  await run(nextPage, next);
  const nodes = read<page_items$data>(itemsFragment, root).items?.edges.map(({ node }) => node) ?? [];
  const items = nodes.map((node) => read<page_item$data>(itemFragment, node));
  const again = await run(oneItem, { id: items[0]?.id ?? "" }) as { node: unknown };
  console.log(JSON.stringify({
    items: items.map(({ title, status }) => [title.replace(BATCH, ""), status]),
    node: read<page_item$data>(itemFragment, again.node).title.replace(BATCH, ""),
  }));
}

void main();
