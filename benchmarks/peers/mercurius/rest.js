// The REST face: fastify's routes, whose response schemas become serialisers.
import * as rows from "./rows.js";

const text = { type: "string" };
const nullable = { type: "string", nullable: true };
const moment = { type: "string", format: "date-time" };
const times = { created_at: moment, updated_at: moment };
const object = (properties) => ({ type: "object", properties });
const list = (items) => ({ type: "array", items });

const ITEM = {
  id: text, workspace_id: text, title: text, description: nullable, status: text, priority: { type: "integer" },
  due_at: { ...moment, nullable: true }, creator_id: text, assignee_id: nullable, parent_id: nullable,
  version: { type: "integer" }, ...times,
};
const LABEL = { id: text, workspace_id: text, name: text, color: text, ...times };
const AUTHOR = { id: text, username: text, full_name: nullable, ...times };
const COMMENT = { id: text, item_id: text, author_id: text, body: text, ...times, author: object(AUTHOR) };

const answers = (schema) => ({ schema: { response: { "2xx": schema } } });

export async function routes(app) {
  app.get("/items", answers(object({ data: list(object(ITEM)) })), async (request) => ({
    data: await rows.items(Number(request.query.limit ?? 20)),
  }));
  app.get("/items/:id", answers(object(ITEM)), (request) => rows.item(request.params.id));
  app.get(
    "/items/:id/full",
    answers(object({ ...ITEM, labels: list(object(LABEL)), comments: list(object(COMMENT)) })),
    (request) => full(request.params.id),
  );
  app.post("/items", answers(object(ITEM)), async (request, reply) => {
    reply.code(201);
    return rows.createItem(request.body);
  });
}

async function full(id) {
  const [item, labels, comments] = await Promise.all([rows.item(id), rows.labelsOf([id]), rows.commentsOf([id], 20)]);
  const keys = [...new Set(comments.map((comment) => comment.author_id))];
  const authors = new Map((await rows.usersByKey(keys)).map((user) => [user.id, user]));
  return { ...item, labels, comments: comments.map((comment) => ({ ...comment, author: authors.get(comment.author_id) })) };
}
