// The GraphQL face: a schema, and a loader for each relation.
import * as rows from "./rows.js";

export const schema = `
  type Query {
    item(id: ID!): Item
    items(first: Int = 20): ItemPage!
  }
  type Mutation {
    createItem(input: CreateItemInput!): Item!
  }
  input CreateItemInput {
    workspaceId: ID!
    creatorId: ID!
    title: String!
    description: String
    status: String
    priority: Int
  }
  type ItemPage {
    nodes: [Item!]!
  }
  type Item {
    id: ID!
    title: String!
    description: String
    status: String!
    priority: Int!
    dueAt: String
    version: Int!
    createdAt: String!
    updatedAt: String!
    workspace: Workspace
    creator: User
    assignee: User
    parent: Item
    children(first: Int = 20): [Item!]!
    labels: [Label!]!
    comments(first: Int = 20): [Comment!]!
  }
  type Workspace {
    id: ID!
    name: String!
    slug: String!
  }
  type User {
    id: ID!
    username: String!
    fullName: String
  }
  type Label {
    id: ID!
    name: String!
    color: String!
  }
  type Comment {
    id: ID!
    body: String!
    author: User
  }
`;

export const resolvers = {
  Query: {
    item: (_, { id }) => rows.item(id),
    items: async (_, { first }) => ({ nodes: await rows.items(first) }),
  },
  Mutation: {
    createItem: (_, { input }) =>
      rows.createItem({ ...input, workspace_id: input.workspaceId, creator_id: input.creatorId }),
  },
  Item: {
    dueAt: (item) => item.due_at?.toISOString() ?? null,
    createdAt: (item) => item.created_at.toISOString(),
    updatedAt: (item) => item.updated_at.toISOString(),
  },
  User: { fullName: (user) => user.full_name },
};

// With a cache, a loader would find doubles by serialising every parent; these find them by key.
const opts = { cache: false };

function one(column, byKey) {
  const loader = async (queries) => {
    const keys = new Set(queries.map(({ obj }) => obj[column]));
    keys.delete(null);
    const found = new Map((await byKey([...keys])).map((row) => [row.id, row]));
    return queries.map(({ obj }) => found.get(obj[column]) ?? null);
  };
  return { loader, opts };
}

function many(column, below) {
  const loader = async (queries) => {
    const lists = new Map(queries.map(({ obj }) => [obj.id, []]));
    // Everybody below the same field of a document asks for as many.
    for (const row of await below([...lists.keys()], queries[0].params.first)) lists.get(row[column]).push(row);
    return queries.map(({ obj }) => lists.get(obj.id));
  };
  return { loader, opts };
}

export const loaders = {
  Item: {
    workspace: one("workspace_id", rows.workspacesByKey),
    creator: one("creator_id", rows.usersByKey),
    assignee: one("assignee_id", rows.usersByKey),
    parent: one("parent_id", rows.itemsByKey),
    children: many("parent_id", rows.childrenOf),
    labels: many("item_id", rows.labelsOf),
    comments: many("item_id", rows.commentsOf),
  },
  Comment: { author: one("author_id", rows.usersByKey) },
};
