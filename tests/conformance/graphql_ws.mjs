// The client of graphql-ws against the gateway; arguments: the address of its WebSockets, and an access token.

import { createClient } from "graphql-ws";
import WebSocket from "ws";

import { check, report } from "./checks.mjs";

const [url, token] = process.argv.slice(2);
const signedIn = { Authorization: `Bearer ${token}` };

function client(options) {
  return createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0, lazy: true, ...options });
}

// All results of an operation, or what the sink was told instead.
function results(connection, payload) {
  return new Promise((resolve) => {
    const found = [];
    connection.subscribe(payload, {
      next: (each) => found.push(each),
      error: (error) => resolve(Array.isArray(error) ? error.map((each) => each.extensions.code) : [error.code]),
      complete: () => resolve(found),
    });
  });
}

const connection = client({ connectionParams: signedIn });
const query = { query: "query Me($with: Boolean!) { me { username @include(if: $with) } }", variables: { with: true } };
const createLabel = "mutation($name: String!) { createLabel(input: {name: $name}) { label { name } } }";
const name = `ws-${Date.now()}`;

await check("query", [{ data: { me: { username: "demo" } } }], () => results(connection, query));
await check("mutation", [{ data: { createLabel: { label: { name } } } }], () =>
  results(connection, { query: createLabel, variables: { name } }),
);
await check("many at once", Array(15).fill([{ data: { me: { username: "demo" } } }]), () =>
  Promise.all(Array.from({ length: 15 }, () => results(connection, query))),
);
await check("invalid document", ["invalid_document"], () => results(connection, { query: "{ nope }" }));
await check("subscription", ["invalid_document"], () => results(connection, { query: "subscription { me { id } }" }));
await check("still open", [{ data: { me: { username: "demo" } } }], () => results(connection, query));
await check("left early", [{ data: { me: { username: "demo" } } }], () => {
  connection.subscribe(query, { next() {}, error() {}, complete() {} })();
  return results(connection, query);
});
await connection.dispose();

await check("bad token", [4403], () =>
  results(client({ connectionParams: { Authorization: "Bearer nonsense" } }), query),
);
await check("anonymous", "unauthenticated", async () => {
  const anonymous = client({});
  const [answer] = await results(anonymous, query);
  await anonymous.dispose();
  return answer.errors[0].extensions.code;
});
await check("keep-alive", true, async () => {
  const alive = await new Promise((resolve) => {
    const pinging = client({
      connectionParams: signedIn,
      lazy: false,
      keepAlive: 20,
      on: {
        pong: (received) => received && resolve(pinging),
      },
    });
  });
  await alive.dispose();
  return true;
});

function closeCode(options, protocols, send) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, protocols, options);
    socket.on("open", () => send?.(socket));
    socket.on("close", resolve);
    socket.on("unexpected-response", (_, response) => resolve(response.statusCode));
    socket.on("error", () => {});
  });
}

const protocol = "graphql-transport-ws";
await check("silence", 4408, () => closeCode({}, protocol));
await check("no subprotocol", 4406, () => closeCode({}, []));
await check("foreign page", 403, () => closeCode({ origin: "https://evil.example" }, protocol));
await check("frame []", 4400, () => closeCode({}, protocol, (socket) => socket.send("[]")));
await check("frame null", 4400, () => closeCode({}, protocol, (socket) => socket.send("null")));
await check("binary frame", 4400, () => closeCode({}, protocol, (socket) => socket.send(Buffer.from("{}"))));
await check("too big a frame", 1009, () => closeCode({}, protocol, (socket) => socket.send("x".repeat(2_000_000))));
await check("operation too early", 4401, () =>
  closeCode({}, protocol, (socket) => socket.send(JSON.stringify({ id: "1", type: "subscribe", payload: query }))),
);
report();
