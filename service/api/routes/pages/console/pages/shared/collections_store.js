/** The collections in the memory of the page. */

import { useKept, useTask } from "../../state.js";
import { useEffect } from "../../vendor/htm-preact.js";
import { readList } from "./list_reading.js";

export const MOST_COLLECTIONS = 20_000;

const NOTHING = { items: [], isRead: false };

/** Return `{ items, isRead, problem, load }`. items: by id, at most MOST_COLLECTIONS. isRead: whether a page has come. */
export function useCollections() {
  const [{ items, isRead }, setList] = useKept("collections", NOTHING);
  const { run, problem } = useTask();

  function load() {
    return run(async (signal) => {
      for await (const { items } of readList("collections", { most: MOST_COLLECTIONS, signal })) setList({ items, isRead: true });
    });
  }
  useEffect(() => void load(), []);
  return { items, isRead, problem, load };
}
