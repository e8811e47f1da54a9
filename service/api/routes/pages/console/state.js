/** What pages remember, and how they run their work. */

import { beforeAnotherKey } from "./access_key.js";
import { useEffect, useRef, useState } from "./vendor/htm-preact.js";

const given = new Map();
let read = new Map();

beforeAnotherKey(() => (read = new Map())); // a page that still ends its work writes to the old one

/**
 * As useState, but the value is still there when the user comes back to the page. It is in memory only. Another access key
 * forgets it: what one key may read, the next one may not.
 */
export function useKept(name, initial) {
  const [kept] = useState(read);
  return useKeptIn(kept, name, initial);
}

/** Change what `useKept` keeps, for the next time it is shown. What is shown now stays. change: a function of the value before. */
export function changeKept(name, change) {
  if (read.has(name)) read.set(name, change(read.get(name)));
}

/** As useKept, for what the user has given to the page, such as a photograph. Another access key does not forget it. */
export function useGiven(name, initial) {
  return useKeptIn(given, name, initial);
}

function useKeptIn(kept, name, initial) {
  const [value, setValue] = useState(kept.has(name) ? kept.get(name) : initial);
  function keep(next) {
    const before = kept.has(name) ? kept.get(name) : initial; // not the value on the page: it is old once the page was left
    const after = typeof next === "function" ? next(before) : next;
    kept.set(name, after);
    setValue(after);
  }
  return [value, keep];
}

/**
 * Return `{ busy, problem, run, clear }` for one kind of work. `run(work)` calls `work(signal)`, an asynchronous function, and
 * keeps what it throws as `problem`. A new run aborts the one before it, and so does leaving the page.
 */
export function useTask() {
  const [state, setState] = useState({ busy: false, problem: null });
  const running = useRef(null);
  useEffect(() => () => running.current?.abort(), []);

  async function run(work) {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    setState({ busy: true, problem: null });
    let problem = null;
    try {
      return await work(controller.signal);
    } catch (error) {
      problem = error;
      return undefined;
    } finally {
      if (running.current === controller && !controller.signal.aborted) setState({ busy: false, problem });
    }
  }

  function clear() {
    running.current?.abort();
    setState({ busy: false, problem: null });
  }
  return { ...state, run, clear };
}

const IDLE = { busy: false, done: 0, total: 0, note: "", problem: null };

/** Work that goes on while the user is on another page of the console. If the tab is closed, the browser asks first. */
export class Job {
  state = IDLE;
  #listeners = new Set();
  #controller = null;
  #askBeforeLeaving = (event) => event.preventDefault(); // one of each job: several can run

  /** Call `work(signal)`, and keep what it throws as `problem`. initial: fields of the state at the start, such as `total`. */
  async run(initial, work) {
    this.cancel();
    const controller = new AbortController();
    this.#controller = controller;
    this.#show({ ...IDLE, ...initial, busy: true });
    addEventListener("beforeunload", this.#askBeforeLeaving);
    let problem = null;
    try {
      await work(controller.signal);
    } catch (error) {
      problem = controller.signal.aborted ? null : error;
    } finally {
      if (this.#controller === controller) this.#end(problem);
      controller.abort(); // ends what still runs in parallel after an error
    }
  }

  /** Change fields of the state: an object, or a function of the state before. */
  report(changes) {
    this.#show({ ...this.state, ...(typeof changes === "function" ? changes(this.state) : changes) });
  }

  /** Say that the service is busy. For `onWait` of `callPatiently`. */
  noteWait = (seconds) => this.report({ note: `The service is busy. Going on in ${seconds} s.` });

  /** End the work. What it has done so far stays. */
  cancel() {
    if (this.#controller === null) return;
    this.#controller.abort();
    this.#end(null);
  }

  /** Forget the result. */
  clear() {
    this.cancel();
    this.#show(IDLE);
  }

  /** Call the listener after each change. Returns a function that ends this. */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #end(problem) {
    this.#controller = null;
    removeEventListener("beforeunload", this.#askBeforeLeaving);
    this.report({ busy: false, note: "", problem });
  }

  #show(state) {
    this.state = state;
    for (const listener of this.#listeners) listener();
  }
}

/** Return the state of a job, and draw the component again when it changes. onEnd: called when its work has ended. */
export function useJob(job, onEnd = () => {}) {
  const [, setState] = useState(job.state);
  useEffect(() => {
    setState(job.state); // it may have changed since it was drawn
    return job.listen(() => setState(job.state));
  }, [job]);
  const { busy } = job.state;
  const wasBusy = useRef(busy);
  useEffect(() => {
    if (wasBusy.current && !busy) onEnd();
    wasBusy.current = busy;
  }, [busy]);
  return job.state;
}
