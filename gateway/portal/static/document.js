// What the pages that draw an OpenAPI document do to it first. All its references are within itself.
"use strict";

const SCHEMAS = "#/components/schemas/";

// Both tools write every nested schema out, down to where it meets itself: an item with its comments, their author,
// the author's items … Relations are optional members, so among these a schema that leads back is named, not drawn.
function withoutRecursion(document) {
  const schemas = document.components?.schemas ?? {};
  const reached = {};
  for (const name of Object.keys(schemas)) {
    const found = (reached[name] = new Set());
    const open = referred(schemas[name]);
    while (open.length) {
      const next = open.pop();
      if (!found.has(next)) {
        found.add(next);
        open.push(...referred(schemas[next]));
      }
    }
  }
  for (const [name, schema] of Object.entries(schemas)) {
    const optional = Object.keys(schema.properties ?? {}).filter((each) => !schema.required?.includes(each));
    for (const member of optional) {
      schema.properties[member] = named(schema.properties[member], (other) => reached[other]?.has(name));
    }
  }
  return document;
}

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

// The names of the schemas that a part of the document refers to.
function referred(part) {
  if (part === null || typeof part !== "object") {
    return [];
  }
  const inner = Object.values(part).flatMap(referred);
  return isReference(part) ? [part.$ref.slice(SCHEMAS.length), ...inner] : inner;
}

function isReference(part) {
  return typeof part.$ref === "string" && part.$ref.startsWith(SCHEMAS);
}

// The part, with objects that only have a title in the place of those references that lead back.
function named(part, leadsBack) {
  if (part === null || typeof part !== "object") {
    return part;
  }
  if (Array.isArray(part)) {
    return part.map((each) => named(each, leadsBack));
  }
  if (isReference(part) && leadsBack(part.$ref.slice(SCHEMAS.length))) {
    const { $ref, ...rest } = part;
    return { type: "object", title: $ref.slice(SCHEMAS.length), ...rest };
  }
  return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, named(value, leadsBack)]));
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
