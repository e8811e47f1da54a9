/** The subjects of a collection in the memory of the page. */

import { useKept, useTask } from "../../state.js";
import { useEffect } from "../../vendor/htm-preact.js";
import { readList } from "../shared/list_reading.js";

const FIRST_PAGE = 100; // is there soon
export const MOST_SUBJECTS = 20_000;

const NOTHING = { items: [], isComplete: false };

/**
 * Return `{ items, isComplete, problem, load, put, remove }`. items: by id, at most MOST_SUBJECTS.
 * put: show a new or changed subject, as the API returns it. remove: no longer show the subject with this id.
 */
export function useSubjects(collection) {
  const [{ items, isComplete }, setList] = useKept(`people.subjects.${collection}`, NOTHING);
  const { run, busy, problem } = useTask();

  function load() {
    return run(async (signal) => {
      const path = ["collections", collection, "subjects"];
      for await (const list of readList(path, { first: FIRST_PAGE, most: MOST_SUBJECTS, signal })) setList(list);
    });
  }
  useEffect(() => void load(), [collection]);

  function put(subject) {
    setList((list) => ({ ...list, items: [...list.items.filter(({ id }) => id !== subject.id), subject].sort(byId) }));
  }
  function remove(id) {
    setList((list) => ({ ...list, items: list.items.filter((subject) => subject.id !== id) }));
    if (busy) load(); // the list that is being read may still have it
  }
  return { items, isComplete, problem, load, put, remove };
}

/** Compare as the service does, by code point: capital letters come first. */
function byId(one, other) {
  return one.id < other.id ? -1 : 1;
}
