/** Read a long list of the service. It comes in pages; what has come is shown at once. */

import { call } from "../../api.js";

const PAGE = 1000;

/**
 * Yield `{ items, isComplete }` after each page. items: all that have come. path: as for `call`.
 * first: how many items the first page has. most: no further page is read once there are so many.
 */
export async function* readList(path, { first = PAGE, most = Infinity, signal }) {
  const items = [];
  let cursor = null;
  do {
    const query = { limit: items.length === 0 ? first : PAGE, cursor };
    const page = await call("GET", path, { query, signal });
    items.push(...page.items);
    cursor = page.next_cursor;
    yield { items: [...items], isComplete: cursor === null };
  } while (cursor !== null && items.length < most);
}
