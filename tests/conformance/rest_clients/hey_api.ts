// What an integrator does with @hey-api/openapi-ts, who leaves it to the client which scheme a token is sent by.
import { client } from "./generated/client.gen";
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
} from "./generated/sdk.gen";
import type { ItemFilter } from "./generated/types.gen";

declare const process: { argv: string[] };
const [, , baseUrl, username, password] = process.argv;

client.setConfig({ baseUrl });
const { data: tokens } = await login({ body: { username, password } });
client.setConfig({ auth: () => tokens?.access_token });

const urgent: ItemFilter = { priority: { gte: 3 } };
const { data: page } = await listItems({
  query: {
    "status[in]": ["open", "in_progress"],
    filter: JSON.stringify(urgent),
    sort: ["-priority", "title"],
    include: ["labels", "creator"],
    limit: 5,
  },
});
const { data: created } = await createItem({ body: { title: "By hey-api" } });
const path = { id: created?.id ?? "" };
const { data: got } = await getItem({ path });
const { data: updated } = await updateItem({ path, body: { priority: 4 } });
const { response: deleted } = await deleteItem({ path });
const { data: announced } = await createFile({ body: { name: "note.txt", size: 5, media_type: "text/plain" } });
const place = { id: announced?.id ?? "" };
await putFileContent({ path: place, body: new Blob(["bytes"]) });
const { data: file } = await completeFile({ path: place });
const { error } = await createItem({ body: { title: "" } });

console.log(
  JSON.stringify({
    listed: page?.data.map((item) => [item.title, item.status, item.labels?.data.map((label) => label.name), item.creator?.username]),
    created: [created?.title, created?.status],
    got: got?.id === created?.id,
    updated: updated?.priority,
    deleted: deleted?.status,
    uploaded: [file?.name, file?.size, file?.state],
    problem: [error?.status, error?.code, error?.errors?.map((each) => each.field)],
  }),
);
