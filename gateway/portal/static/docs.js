// Starts Swagger UI on the document named by the page. No validator badge: it would send the document elsewhere.
"use strict";

SwaggerUIBundle({
  domNode: document.getElementById("swagger-ui"),
  url: document.getElementById("swagger-ui").dataset.openapi,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
