// PostGraphile 5 as its manual sets it up for production: the Amber preset on node:http. The tags give relations that the
// composite foreign keys hide (their columns together have no index), with the names that a team would give them.
import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { jsonPgSmartTags } from "postgraphile/utils";

const tags = jsonPgSmartTags({
  version: 1,
  config: {
    class: {
      items: {
        tags: {
          foreignKey: [
            "(creator_id) references users (id)|@fieldName creator|@foreignFieldName createdItems",
            "(assignee_id) references users (id)|@fieldName assignee|@foreignFieldName assignedItems",
            "(parent_id) references items (id)|@fieldName parent|@foreignFieldName children",
            "(workspace_id) references workspaces (id)|@fieldName workspace|@foreignFieldName items",
          ],
        },
      },
      comments: {
        tags: {
          foreignKey: [
            "(item_id) references items (id)|@fieldName item|@foreignFieldName comments",
            "(author_id) references users (id)|@fieldName author|@foreignFieldName comments",
          ],
        },
      },
      item_labels: {
        tags: {
          foreignKey: [
            "(item_id) references items (id)|@fieldName item|@foreignFieldName labels",
            "(label_id) references labels (id)|@fieldName label|@foreignFieldName items",
          ],
        },
      },
    },
  },
});

const preset = {
  extends: [PostGraphileAmberPreset],
  plugins: [tags],
  pgServices: [makePgService({ connectionString: process.env.DATABASE_URL, schemas: ["public"], poolConfig: { max: 20 } })],
  grafserv: { graphqlPath: "/graphql", graphiql: false, watch: false },
};

const server = createServer();
await postgraphile(preset).createServ(grafserv).addTo(server);
server.listen(Number(process.env.PORT), "127.0.0.1");
