/** Calls of the public API. The console can do nothing that another client cannot do. */

import { accessKey, askForAccessKey } from "./access_key.js";

const HOME = new URL(".", document.baseURI);
const MOST_TRIES = 6;

/** A refusal of the service (problem+json), or no answer at all (status 0). */
export class Problem extends Error {
  constructor({ status, code, detail, retryAfterS = null, requestId = null, image = null, fields = [], results = [] }) {
    super(detail);
    Object.assign(this, { name: "Problem", status, code, detail, retryAfterS, requestId, image, fields, results });
  }
}

/**
 * Call the service, and return the parsed answer: an object for JSON, a Blob for a picture, a text for other types, null
 * if there is none.
 *
 * path: `"verify"`, or a list of segments if some are ids: `["collections", collection, "subjects"]`.
 * query: an object. Values that are null or undefined are left out.
 * form: an object of files, texts, or lists of them. json: an object. At most one of the two.
 * keepalive: send the request even if the page is being closed.
 * isForThisKey: never send it again with another key: the next key may be that of somebody else.
 * Otherwise, asks the user for a key if the service wants one. Throws Problem, or AbortError if `signal` ends the call.
 */
export async function call(method, path, options = {}) {
  for (;;) {
    const key = accessKey();
    const response = await send(method, path, options, key);
    if (response.ok) return readAnswer(response);
    const problem = await readProblem(response);
    if (response.status !== 401 || options.isForThisKey) throw problem;
    if (key === accessKey() && !(await askForAccessKey(problem.code))) throw problem;
  }
}

/**
 * As `call`, but wait and try again if the service is busy: 429 and 503 with Retry-After. For long work, such as a folder.
 * onWait: called with the seconds of each wait.
 */
export async function callPatiently(method, path, { onWait = () => {}, ...options } = {}) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await call(method, path, options);
    } catch (problem) {
      const waits = problem instanceof Problem && problem.retryAfterS !== null && problem.code !== "quota_used";
      if (!waits || tries >= MOST_TRIES) throw problem;
      onWait(problem.retryAfterS);
      await wait(problem.retryAfterS * 1000, options.signal);
    }
  }
}

/** Return the address of a page or file of the service, such as `docs`. */
export function addressOf(path, query = {}) {
  const segments = [path].flat().map(encodeURIComponent);
  const url = new URL(segments.join("/"), HOME);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) url.searchParams.set(name, value);
  }
  return url;
}

async function send(method, path, { query, form, json, signal, keepalive }, key) {
  const headers = { Accept: "application/json, text/plain, image/*" };
  if (key !== null) headers.Authorization = `Bearer ${key}`;
  if (json !== undefined) headers["Content-Type"] = "application/json";
  const body = json === undefined ? form && formData(form) : JSON.stringify(json);
  const options = { method, headers, body, signal, keepalive, cache: "no-store", credentials: "omit" };
  try {
    return await fetch(addressOf(path, query), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ status: 0, code: "no_answer", detail: "The service does not answer. Check that it is running." });
  }
}

function formData(fields) {
  const form = new FormData();
  for (const [name, values] of Object.entries(fields)) {
    for (const value of [values].flat()) form.append(name, value);
  }
  return form;
}

async function readAnswer(response) {
  if (response.status === 204) return null;
  const type = response.headers.get("Content-Type") ?? "";
  if (type.startsWith("image/")) return response.blob();
  return type.includes("json") ? response.json() : response.text();
}

async function readProblem(response) {
  const body = await response.json().catch(() => ({}));
  const retryAfter = response.headers.get("Retry-After");
  return new Problem({
    status: response.status,
    code: body.code ?? "unknown",
    detail: body.detail ?? `The service answered with status ${response.status}.`,
    retryAfterS: retryAfter === null ? null : Number(retryAfter),
    requestId: response.headers.get("X-Request-ID"),
    image: body.image ?? null,
    fields: body.errors ?? [],
    results: body.results ?? [],
  });
}

function wait(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
