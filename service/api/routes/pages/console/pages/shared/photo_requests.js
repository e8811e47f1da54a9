/** Many photographs in requests of a bounded size, a few of them at the same time. */

import { Problem } from "../../api.js";

export const REQUESTS_AT_ONCE = 4;
const PHOTOS_PER_REQUEST = 8;
const BYTES_PER_REQUEST = 16 * 2 ** 20;

/** Problems that a smaller request may not have, or that are about the one photograph that was sent. */
const SPLIT_CODES = new Set(["body_too_large", "invalid_option", "timed_out", "upload_too_slow"]);

/** Yield the photographs of each request. photos: `[{ file, ... }]`. */
export function* partsOf(photos) {
  let part = [];
  let bytes = 0;
  for (const photo of photos) {
    const isFull = part.length === PHOTOS_PER_REQUEST || bytes + photo.file.size > BYTES_PER_REQUEST;
    if (part.length > 0 && isFull) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(photo);
    bytes += photo.file.size;
  }
  if (part.length > 0) yield part;
}

/** Call `work(item)` for each item, REQUESTS_AT_ONCE at a time. The first error ends the loop, and is thrown. */
export async function inParallel(items, work) {
  const waiting = items.values();
  const worker = async () => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, worker));
}

/**
 * Return what `send(photos)` returns: a result for each photograph. If one of them makes the service refuse the request, they
 * are sent one by one, and `refuse(problem)` is the result of one that is refused alone. Throws other problems.
 */
export async function sendOrSplit(photos, send, refuse) {
  try {
    return await send(photos);
  } catch (problem) {
    const isAboutPhotos = problem instanceof Problem && (problem.image !== null || SPLIT_CODES.has(problem.code));
    if (!isAboutPhotos) throw problem;
    if (photos.length === 1) return [refuse(problem)];
  }
  const results = [];
  for (const photo of photos) results.push(...(await sendOrSplit([photo], send, refuse)));
  return results;
}

/** Return the file without its name: the name stays in the browser, because it can name a person. */
export function nameless({ file }) {
  return new Blob([file], { type: file.type });
}
