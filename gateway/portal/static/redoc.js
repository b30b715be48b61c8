// Starts ReDoc on the document named by the page. Its search runs in a worker made from a blob.
"use strict";

Redoc.init(
  document.getElementById("redoc").dataset.openapi,
  { hideDownloadButton: false, expandResponses: "200,201" },
  document.getElementById("redoc"),
);
