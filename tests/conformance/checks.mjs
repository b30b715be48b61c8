// Checks that a script makes one after the other, and prints as JSON: the name of each, and its fault or null.

import { isDeepStrictEqual } from "node:util";

const checks = [];

export async function check(name, expected, run) {
  let found;
  try {
    found = await run();
  } catch (error) {
    found = error;
  }
  const fine = isDeepStrictEqual(found, expected);
  checks.push({ name, fault: fine ? null : `${describe(found)} is not ${describe(expected)}` });
}

export function report() {
  console.log(JSON.stringify(checks));
}

function describe(value) {
  return value instanceof Error ? `${value.name}: ${value.message}` : JSON.stringify(value);
}
