/** The id of a subject, made from a name: the same as `service/commands/people_folder.py`. */

import { sha256Hex } from "./sha256.js";

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Return the name if it is a valid id. Otherwise its valid characters and a digest, which makes the id unique. */
export function subjectIdOf(name) {
  if (ID.test(name)) return name;
  const digest = sha256Hex(new TextEncoder().encode(name)).slice(0, 12);
  const letters = name.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[._-]+|[._-]+$/g, "").slice(0, 100);
  return letters ? `${letters}-${digest}` : digest;
}
