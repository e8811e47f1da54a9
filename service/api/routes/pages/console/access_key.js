/**
 * The access key of this page. It is in memory and, if the user wants it, in the sessionStorage of this tab.
 * It is never in the address, in a cookie or on a disk.
 */

const STORED_AS = "facenet-access-key";

const storage = openStorage();
let key = storage?.getItem(STORED_AS) ?? null;
let question = null; // while the dialog is open: { code, answer, promise }
let number = 0;
const listeners = new Set();
const leavers = new Set();

/** Return the key, or null. */
export function accessKey() {
  return key;
}

/** Use a key from now on. remember: until this tab is closed, also after a reload. */
export function setAccessKey(newKey, { remember }) {
  if (newKey !== key) leaveKey();
  key = newKey;
  if (remember) storage?.setItem(STORED_AS, newKey);
  else storage?.removeItem(STORED_AS);
  close(true);
}

/** Return how many other keys this page has had: what was read with one of them is not shown with the next. */
export function keyNumber() {
  return number;
}

/** Call the function before another key is used. What it sends is still sent with the key before. */
export function beforeAnotherKey(leave) {
  leavers.add(leave);
}

/** Load the page again without a key. What was shown with the key, such as names and faces, is in memory only, and is gone. */
export function forgetAccessKey() {
  storage?.removeItem(STORED_AS);
  location.reload(); // the key stays until then: a deletion that waits is sent with it
}

/** Do not answer the question for a key. */
export function cancelAccessKey() {
  close(false);
}

/**
 * Show the dialog, and wait for it. All callers that wait at the same time share one dialog.
 * code: why it is shown: `key_missing`, `key_invalid`, or `chosen` by the user.
 * Returns a promise: whether the user has answered.
 */
export function askForAccessKey(code) {
  if (question === null) {
    question = { code };
    question.promise = new Promise((resolve) => (question.answer = resolve));
    notify();
  }
  return question.promise;
}

/** Return why the dialog is shown, or null. */
export function openQuestion() {
  return question?.code ?? null;
}

/** Call the listener after each change. Returns a function that ends this. */
export function onAccessKeyChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function leaveKey() {
  for (const leave of leavers) leave();
  number += 1;
}

function close(answered) {
  const closed = question;
  question = null;
  notify();
  closed?.answer(answered);
}

function notify() {
  for (const listener of listeners) listener();
}

/** Return the sessionStorage, or null if the user has forbidden it. */
function openStorage() {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}
