// What an integrator does with orval's fetch client, whose requests go through a function of the integrator's.
import {
  completeFile,
  createFile,
  createItem,
  deleteItem,
  getItem,
  listItems,
  login,
  putFileContent,
  updateItem,
} from "./generated/api";
import type { ItemFilter } from "./generated/api";

declare const process: { argv: string[] };
const [, , baseUrl, username, password] = process.argv;

let token = "";
const direct = globalThis.fetch;
globalThis.fetch = (url, options) => {
  const headers = new Headers(options?.headers);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  // orval says what a body is only where it could be nothing else.
  if (typeof options?.body === "string") headers.set("Content-Type", "application/json");
  return direct(`${baseUrl}${String(url)}`, { ...options, headers });
};

const signed = await login({ username, password });
if (signed.status === 200) token = signed.data.access_token;

const urgent: ItemFilter = { priority: { gte: 3 } };
const page = await listItems({
  "status[in]": ["open", "in_progress"],
  filter: JSON.stringify(urgent),
  sort: ["-priority", "title"],
  include: ["labels", "creator"],
  limit: 5,
});
const created = await createItem({ title: "By orval" });
const id = created.status === 201 ? created.data.id : "";
const got = await getItem(id);
const updated = await updateItem(id, { priority: 4 });
const deleted = await deleteItem(id);
const announced = await createFile({ name: "note.txt", size: 5, media_type: "text/plain" });
const place = announced.status === 201 ? announced.data.id : "";
await putFileContent(place, new Blob(["bytes"]));
const file = await completeFile(place);
const refused = await createItem({ title: "" });

console.log(
  JSON.stringify({
    listed:
      page.status === 200
        ? page.data.data.map((item) => [item.title, item.status, item.labels?.data.map((label) => label.name), item.creator?.username])
        : null,
    created: created.status === 201 ? [created.data.title, created.data.status] : null,
    got: got.status === 200 && got.data.id === id,
    updated: updated.status === 200 ? updated.data.priority : null,
    deleted: deleted.status,
    uploaded: file.status === 200 ? [file.data.name, file.data.size, file.data.state] : null,
    problem: refused.status === 422 ? [refused.data.status, refused.data.code, refused.data.errors?.map((each) => each.field)] : null,
  }),
);
