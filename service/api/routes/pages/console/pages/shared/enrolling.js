/** Enrol photographs and embeddings for one subject. */

import { callPatiently, Problem } from "../../api.js";
import { subjectIdOf } from "../../calculations/subject_id.js";
import { nameless, sendOrSplit } from "./photo_requests.js";

/** Create the subject of a name if it is new. Returns its id, which is the one that `facenet enrol` gives to a folder of this name. */
export async function ensureSubject(collection, name, signal) {
  const id = subjectIdOf(name);
  try {
    await callPatiently("POST", ["collections", collection, "subjects"], { json: { id, name }, signal });
  } catch (problem) {
    if (problem.code !== "subject_exists") throw problem;
  }
  return id;
}

/**
 * Enrol the face of each photograph. photos: `[{ file, path }]`, so few that one request can hold them (`partsOf`).
 * Returns a result for each, as the API does: `status` is `enrolled`, `known` or `refused`.
 */
export function enrolPhotos(collection, subject, photos, { query, ...options }) {
  const send = (some) => enrol(collection, subject, { query, form: { images: some.map(nameless) }, ...options });
  return sendOrSplit(photos, send, ({ code, detail }) => ({ status: "refused", code, detail, face: null }));
}

/** Enrol embeddings. images: `[{ embedding, model }]`, at most 64. Returns a result for each. */
export function enrolEmbeddings(collection, subject, images, options) {
  return enrol(collection, subject, { json: { images }, ...options });
}

async function enrol(collection, subject, options) {
  try {
    return (await callPatiently("POST", ["collections", collection, "subjects", subject, "faces"], options)).results;
  } catch (problem) {
    if (problem instanceof Problem && problem.code === "nothing_enrolled") return problem.results;
    throw problem;
  }
}

/** Show the results of some photographs in the state of a job: `done`, `counts` and `refused`. */
export function reportResults(job, photos, results) {
  job.report(({ done, counts, refused }) => ({
    done: done + photos.length,
    note: "",
    counts: addCounts(counts, results),
    refused: [...refused, ...refusedOf(photos, results)],
  }));
}

/** Return how many results have each status, added to the counts before. */
function addCounts(counts, results) {
  const sums = { ...counts };
  for (const { status } of results) sums[status] = (sums[status] ?? 0) + 1;
  return sums;
}

/** Say the counts in a sentence. */
export function describeCounts({ enrolled = 0, known = 0, refused = 0 }) {
  const parts = [`${enrolled} enrolled`];
  if (known > 0) parts.push(`${known} known already`);
  if (refused > 0) parts.push(`${refused} refused`);
  return parts.join(", ");
}

/** Return a row for each photograph that was refused. */
function refusedOf(photos, results) {
  return results.flatMap(({ status, code, detail, face }, place) =>
    status === "refused" ? [{ path: photos[place].path, code, detail, face }] : [],
  );
}
