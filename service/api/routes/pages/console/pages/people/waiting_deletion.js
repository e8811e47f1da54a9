/**
 * A deletion that waits for some seconds, so that the user can undo it. At most one waits: the next one sends it. It is also sent
 * when the user leaves the page or closes the tab, so what was deleted stays deleted.
 */

import { beforeAnotherKey, keyNumber } from "../../access_key.js";
import { call } from "../../api.js";
import { useEffect, useRef, useState } from "../../vendor/htm-preact.js";

export const WAIT_S = 8;

let waiting = null; // { path, label, leftMs, since, timer }
let failure = null; // of the last deletion that was sent: { label, problem }
const sending = new Set();
const listeners = new Set(); // of the state
const deletedListeners = new Set();

beforeAnotherKey(() => {
  sendNow(); // the next key may not be allowed to
  forgetFailure();
});

/**
 * path: what is deleted, as for `call`. label: what it is for the user.
 * `isDeleted(path)` is true until the service has deleted it. Then `onDeleted` says so.
 */
export function deleteSoon({ path, label }) {
  sendNow();
  failure = null;
  waiting = { path, label, leftMs: WAIT_S * 1000 };
  goOn();
}

/** Do not delete it. */
export function undo() {
  clearTimeout(waiting?.timer);
  waiting = null;
  notify();
}

/** Stop the clock, while the user is at the button. */
export function pause() {
  if (!waiting?.timer) return;
  clearTimeout(waiting.timer);
  waiting.leftMs -= performance.now() - waiting.since;
  waiting.timer = null;
  notify();
}

/** Let the clock go on after `pause`. */
export function goOn() {
  if (!waiting || waiting.timer) return;
  waiting.since = performance.now();
  waiting.timer = setTimeout(sendNow, waiting.leftMs);
  notify();
}

/**
 * Send the waiting deletion, if there is one, with the key of now only. keepalive: also if the page is being closed. If the user
 * has entered another key before the answer comes, a failure is not shown: it would name what the key before has read.
 */
export async function sendNow({ keepalive = false } = {}) {
  if (waiting === null) return;
  const sent = waiting;
  const number = keyNumber();
  clearTimeout(sent.timer);
  waiting = null;
  sending.add(keyOf(sent.path));
  notify();
  const deletion = call("DELETE", sent.path, { keepalive, isForThisKey: true });
  const problem = await deletion.then(() => null, (error) => error);
  sending.delete(keyOf(sent.path));
  if (problem === null || problem.status === 404) tellDeleted(sent.path); // 404: it is gone already
  else if (number === keyNumber()) failure = { label: sent.label, problem };
  notify();
}

function tellDeleted(path) {
  for (const listener of deletedListeners) listener(path);
}

/** Return whether the user has deleted what is at the path. The service may not know it yet. */
export function isDeleted(path) {
  const key = keyOf(path);
  return sending.has(key) || (waiting !== null && keyOf(waiting.path) === key);
}

/** Return `{ waiting, failure }`, and draw the component again when they change. waiting: `{ path, label, isPaused, leftMs }` or null. */
export function useWaitingDeletion() {
  const [, redraw] = useState(0);
  useEffect(() => {
    const listener = () => redraw((count) => count + 1);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, []);
  return { waiting: waiting && { ...waiting, isPaused: !waiting.timer }, failure };
}

/** Call `listener(path)` after the service has deleted something. Returns a function that ends this. */
export function onDeleted(listener) {
  deletedListeners.add(listener);
  return () => deletedListeners.delete(listener);
}

/**
 * As `onDeleted`, while the component is shown. The user may have another key by then, or may have come back to the page: a list
 * that was read meanwhile can still have it.
 */
export function useDeleted(listener) {
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(() => onDeleted((path) => latest.current(path)), []);
}

/** Forget the failure of the last deletion. */
export function forgetFailure() {
  failure = null;
  notify();
}

function keyOf(path) {
  return path.map(encodeURIComponent).join("/");
}

function notify() {
  for (const listener of listeners) listener();
}
