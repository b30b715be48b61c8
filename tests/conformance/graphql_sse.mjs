// The client of graphql-sse against the gateway; arguments: the address of its endpoint, and an access token.

import { createClient } from "graphql-sse";

import { check, report } from "./checks.mjs";

const [url, token] = process.argv.slice(2);
const signedIn = { Authorization: `Bearer ${token}` };

// All results of an operation, or the status that it was refused with.
function results(headers, payload) {
  const connection = createClient({ url, headers, retryAttempts: 0 });
  return new Promise((resolve) => {
    const found = [];
    connection.subscribe(payload, {
      next: (each) => found.push(each),
      error: (error) => resolve(error.response ? error.response.status : error),
      complete: () => resolve(found),
    });
  }).finally(() => connection.dispose());
}

const query = { query: "query Me($with: Boolean!) { me { username @include(if: $with) } }", variables: { with: true } };
const createLabel = "mutation($name: String!) { createLabel(input: {name: $name}) { label { name } } }";
const name = `sse-${Date.now()}`;

await check("query", [{ data: { me: { username: "demo" } } }], () => results(signedIn, query));
await check("mutation", [{ data: { createLabel: { label: { name } } } }], () =>
  results(signedIn, { query: createLabel, variables: { name } }),
);
await check("invalid document", "invalid_document", async () => {
  const [answer] = await results(signedIn, { query: "{ nope }" });
  return answer.errors[0].extensions.code;
});
await check("anonymous", "unauthenticated", async () => {
  const [answer] = await results({}, query);
  return answer.errors[0].extensions.code;
});
await check("bad token", 401, () => results({ Authorization: "Bearer nonsense" }, query));
await check("iterated", [{ data: { me: { username: "demo" } } }], async () => {
  const connection = createClient({ url, headers: signedIn, retryAttempts: 0 });
  const found = [];
  for await (const each of connection.iterate(query)) found.push(each);
  connection.dispose();
  return found;
});
report();
