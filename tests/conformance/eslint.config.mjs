// Every rule that @graphql-eslint has for schemas: its presets schema-recommended, schema-relay and schema-all.
// Below them are the deliberate exceptions, each with its reason. ESLint runs in the folder of schema.graphql.

import plugin from "@graphql-eslint/eslint-plugin";

const { parser, configs, rules } = plugin.default ?? plugin;

/** The rule without what it says of one name, for which it would otherwise have to be off. */
function except(rule, name) {
  const create = (context) => {
    const isOfIt = (found) => found.data?.fieldName === name || found.message?.includes(`"${name}"`);
    const report = (found) => (isOfIt(found) ? undefined : context.report(found));
    return rule.create(Object.create(context, { report: { value: report } }));
  };
  return { ...rule, create };
}

const exceptions = {
  // Fields stand in the order in which they are declared: what belongs together stands together.
  "@graphql-eslint/alphabetize": "off",
  // There are mutations; this rule is for read-only schemas.
  "@graphql-eslint/no-root-type": "off",
  // A payload shows what was changed, with its relations. What else is to be read is another operation.
  "@graphql-eslint/require-field-of-type-query-in-mutation-result": "off",
  // Lists that are no connections: `nodes` of a connection (the page without its edges), and lists of scalars.
  "@graphql-eslint/relay-edge-types": [
    "error",
    { withEdgeSuffix: true, shouldImplementNode: true, listTypeCanWrapOnlyEdgeType: false },
  ],
  // Types that are no rows, and have nothing to be found by: parts of lists, outcomes, values.
  "@graphql-eslint/strict-id-in-types": [
    "error",
    {
      acceptedIdNames: ["id"],
      acceptedIdTypes: ["ID"],
      exceptions: {
        suffixes: ["BatchResult", "Connection", "Edge", "Payload"],
        types: [
          "BatchFieldError", "BatchProblem", "FileLink", "Introspection", "Joined", "PageInfo", "Revocation", "TokenPair",
        ],
      },
    },
  ],
};

export default [
  {
    files: ["*.graphql"],
    languageOptions: { parser, parserOptions: { graphQLConfig: { schema: "schema.graphql" } } },
    plugins: {
      "@graphql-eslint": {
        rules: {
          ...rules,
          // `username` is a word of its own, not a name of `User`.
          "no-typename-prefix": except(rules["no-typename-prefix"], "username"),
          // Mutations take `input`, and beside it what is about the call and not about the change.
          "input-name": except(rules["input-name"], "idempotencyKey"),
        },
      },
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      ...configs["flat/schema-all"].rules,
      ...configs["flat/schema-recommended"].rules,
      ...configs["flat/schema-relay"].rules,
      ...exceptions,
    },
  },
];
