/** The collections as a table. If there are many, the user writes a part of a name. */

import { DataTable } from "../../components/data_table.js";
import { useKept } from "../../state.js";
import { html, useMemo } from "../../vendor/htm-preact.js";
import { MOST_COLLECTIONS } from "./collections_store.js";
import { fold } from "./searching.js";

const MOST_SHOWN = 50;

/** columns: as for `DataTable`. items: as `useCollections` returns them. */
export function CollectionsTable({ columns, items }) {
  const [text, setText] = useKept("collections.search", "");
  const isLong = items.length > MOST_SHOWN;
  const wanted = isLong ? fold(text.trim()) : ""; // without its field, nobody could change the kept text
  const found = useMemo(() => items.filter(({ id }) => fold(id).includes(wanted)), [items, wanted]);
  return html`
    ${isLong &&
    html`
      <label class="field">
        <span>Find a collection</span>
        <input type="search" value=${text} onInput=${(event) => setText(event.target.value)} placeholder="Name" spellcheck="false" />
      </label>
      <p class="small" role="status">${describe(found.length, items.length)}</p>
    `}
    <${DataTable}
      caption="Collections"
      columns=${columns}
      rows=${found.slice(0, MOST_SHOWN)}
      empty=${items.length === 0 ? "No collection yet." : "No collection has this in its name."}
    />
  `;
}

function describe(found, all) {
  const count = `${found.toLocaleString("en")} of ${all.toLocaleString("en")} collections`;
  const shown = found > MOST_SHOWN ? ` The first ${MOST_SHOWN} are shown: write a part of the name to find others.` : "";
  const unread = all >= MOST_COLLECTIONS ? " There may be more, which only the API lists." : "";
  return `${count}.${shown}${unread}`;
}
