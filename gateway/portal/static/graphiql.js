// Starts GraphiQL on the address the page itself has, for whoever is signed in; a header typed into its editor goes
// before that, and is not kept. The page's address may carry `query` and `variables`.
"use strict";

const container = document.getElementById("graphiql");

// What is asked for is found in the document again: the editor knows a changed document's operations late, and would
// send the name of one that is no longer there.
function asked(fetcher) {
  return (parameters, options) => {
    let documentAST;
    try {
      documentAST = GraphiQL.GraphQL.parse(parameters.query);
    } catch {
      return fetcher(parameters, options);
    }
    const names = documentAST.definitions
      .filter((each) => each.kind === "OperationDefinition")
      .map((each) => each.name?.value);
    const operationName = names.includes(parameters.operationName) ? parameters.operationName : undefined;
    return fetcher({ ...parameters, operationName }, { ...options, documentAST });
  };
}

function linked() {
  const parameters = new URLSearchParams(location.search);
  const query = parameters.get("query");
  // Without variables in the link there are none: what is left in the editor belongs to another query.
  return query === null ? {} : { query, variables: parameters.get("variables") ?? "" };
}

// The editors below the query's; on a phone they leave it the room.
function tools(link) {
  if (link.variables) {
    return "variables";
  }
  return matchMedia("(max-width: 700px)").matches ? undefined : "headers";
}

if (window.React && window.ReactDOM && window.GraphiQL) {
  const link = linked();
  const endpoint = window.location.origin + window.location.pathname;
  const fetcher = GraphiQL.createFetcher({
    url: endpoint,
    subscriptionUrl: endpoint.replace(/^http/, "ws"),
    fetch: session.fetch,
  });
  ReactDOM.createRoot(container).render(
    React.createElement(GraphiQL, {
      ...link,
      fetcher: asked(fetcher),
      defaultQuery: container.dataset.query,
      defaultEditorToolsVisibility: tools(link),
      inputValueDeprecation: true,
      isHeadersEditorEnabled: true,
      shouldPersistHeaders: false,
    }),
  );
} else {
  container.textContent = "GraphiQL could not be loaded.";
}
