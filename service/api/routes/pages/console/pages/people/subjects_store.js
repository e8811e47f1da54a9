/** The subjects of a collection in the memory of the page. */

import { changeKept, useKept, useTask } from "../../state.js";
import { useEffect } from "../../vendor/htm-preact.js";
import { readList } from "../shared/list_reading.js";
import { onDeleted, useDeleted } from "./waiting_deletion.js";

const FIRST_PAGE = 100; // is there soon
export const MOST_SUBJECTS = 20_000;

const NOTHING = { items: [], isComplete: false };

onDeleted(([, collection, kind, id]) => {
  if (kind === "subjects") changeKept(keptName(collection), (list) => without(list, id));
});

/**
 * Return `{ items, isComplete, problem, load, put, remove }`. items: by id, at most MOST_SUBJECTS.
 * put: show a new or changed subject, as the API returns it. remove: no longer show the subject with this id.
 */
export function useSubjects(collection) {
  const [{ items, isComplete }, setList] = useKept(keptName(collection), NOTHING);
  const { run, busy, problem } = useTask();

  function load() {
    return run(async (signal) => {
      const path = ["collections", collection, "subjects"];
      for await (const list of readList(path, { first: FIRST_PAGE, most: MOST_SUBJECTS, signal })) setList(list);
    });
  }
  useEffect(() => void load(), [collection]);

  function put(subject) {
    setList((list) => ({ ...list, items: [...without(list, subject.id).items, subject].sort(byId) }));
  }
  function remove(id) {
    setList((list) => without(list, id));
    if (busy) load(); // the list that is being read may still have it
  }
  useDeleted(([, inCollection, kind, id]) => {
    if (inCollection === collection && kind === "subjects") remove(id);
  });
  return { items, isComplete, problem, load, put, remove };
}

function keptName(collection) {
  return `people.subjects.${collection}`;
}

function without(list, id) {
  return { ...list, items: list.items.filter((subject) => subject.id !== id) };
}

/** Compare as the service does, by code point: capital letters come first. */
function byId(one, other) {
  return one.id < other.id ? -1 : 1;
}
