// GraphQL over HTTP by the audits of the package graphql-http; the first argument is the endpoint's address.

import { serverAudits } from "graphql-http";

const [url] = process.argv.slice(2);
const checks = [];
for (const audit of serverAudits({ url, fetchFn: fetch })) {
  const { status, reason } = await audit.fn();
  checks.push({ name: audit.name, fault: status === "ok" ? null : `${status}: ${reason}` });
}
console.log(JSON.stringify(checks));
