// What the pages that draw an OpenAPI document do to it first. All its references are within itself.
"use strict";

// Failures by their descriptions alone: all have the same members, which the page of the problems explains.
function withoutProblems(document) {
  for (const path of Object.values(document.paths)) {
    for (const { responses = {} } of Object.values(path)) {
      for (const status of Object.keys(responses).filter((each) => each >= "400")) {
        const { $ref, description } = responses[status];
        responses[status] = { description: description ?? at(document, steps($ref)).description };
      }
    }
  }
  return document;
}

// A part of the document with its references written out. Where one is met again within itself, its name stands for it.
function resolved(document, part, open = []) {
  if (part === null || typeof part !== "object") {
    return part;
  }
  if (Array.isArray(part)) {
    return part.map((each) => resolved(document, each, open));
  }
  const { $ref, ...rest } = part;
  const own = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, resolved(document, value, open)]));
  if (typeof $ref !== "string") {
    return own;
  }
  if (open.includes($ref)) {
    return { type: "object", title: $ref.split("/").pop(), ...own };
  }
  return { ...resolved(document, at(document, steps($ref)), [...open, $ref]), ...own, $$ref: $ref };
}

// The steps of a reference (RFC 6901) that starts with `#/`.
function steps(reference) {
  const written = decodeURIComponent(reference).split("/").slice(1);
  return written.map((each) => each.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function at(document, path) {
  return path.reduce((part, step) => part?.[step], document);
}
