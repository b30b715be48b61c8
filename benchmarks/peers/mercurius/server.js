// Mercurius with its JIT and loaders, and fastify's own routes with response schemas for REST.
import Fastify from "fastify";
import mercurius from "mercurius";
import { loaders, resolvers, schema } from "./graphql.js";
import { routes } from "./rest.js";

const app = Fastify();
app.register(mercurius, { schema, resolvers, loaders, jit: 1 });
app.register(routes, { prefix: "/api/v1" });
await app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
