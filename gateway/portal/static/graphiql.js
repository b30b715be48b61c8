// Starts GraphiQL on the address the page itself has. Tokens typed into the header editor are not kept by the browser.
"use strict";

const container = document.getElementById("graphiql");

if (window.React && window.ReactDOM && window.GraphiQL) {
  const endpoint = window.location.origin + window.location.pathname;
  const fetcher = GraphiQL.createFetcher({
    url: endpoint,
    subscriptionUrl: endpoint.replace(/^http/, "ws"),
  });
  ReactDOM.createRoot(container).render(
    React.createElement(GraphiQL, {
      fetcher,
      defaultQuery: container.dataset.query,
      defaultEditorToolsVisibility: "headers",
      inputValueDeprecation: true,
      isHeadersEditorEnabled: true,
      shouldPersistHeaders: false,
    }),
  );
} else {
  container.textContent = "GraphiQL could not be loaded.";
}
