// What an integrator does with openapi-typescript and openapi-fetch.
import createClient from "openapi-fetch";
import type { components, paths } from "./generated/types";

declare const process: { argv: string[] };
const [, , baseUrl, username, password] = process.argv;

const anybody = createClient<paths>({ baseUrl });
const { data: tokens } = await anybody.POST("/api/v1/auth/login", { body: { username, password } });
const api = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${tokens?.access_token}` } });

const urgent: components["schemas"]["ItemFilter"] = { priority: { gte: 3 } };
const { data: page } = await api.GET("/api/v1/items", {
  params: {
    query: {
      "status[in]": ["open", "in_progress"],
      filter: JSON.stringify(urgent),
      sort: ["-priority", "title"],
      include: ["labels", "creator"],
      limit: 5,
    },
  },
});
const { data: created } = await api.POST("/api/v1/items", { body: { title: "By openapi-fetch" } });
const path = { id: created?.id ?? "" };
const { data: got } = await api.GET("/api/v1/items/{id}", { params: { path } });
const { data: updated } = await api.PATCH("/api/v1/items/{id}", { params: { path }, body: { priority: 4 } });
const { response: deleted } = await api.DELETE("/api/v1/items/{id}", { params: { path } });
const { data: file } = await api.POST("/api/v1/files", {
  body: { file: "bytes" },
  bodySerializer: () => {
    const form = new FormData();
    form.append("file", new Blob(["bytes"], { type: "text/plain" }), "note.txt");
    return form;
  },
});
const { error } = await api.POST("/api/v1/items", { body: { title: "" } });

console.log(
  JSON.stringify({
    listed: page?.data.map((item) => [item.title, item.status, item.labels?.data.map((label) => label.name), item.creator?.username]),
    created: [created?.title, created?.status],
    got: got?.id === created?.id,
    updated: updated?.priority,
    deleted: deleted.status,
    uploaded: file && "state" in file ? [file.name, file.size, file.state] : null,
    problem: [error?.status, error?.code, error?.errors?.map((each) => each.field)],
  }),
);
