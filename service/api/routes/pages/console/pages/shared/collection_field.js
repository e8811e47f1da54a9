/** The choice of a collection. If the key cannot list them, or there are too many, the user writes its name. */

import { html } from "../../vendor/htm-preact.js";
import { MOST_COLLECTIONS, useCollections } from "./collections_store.js";

/** value: the id of a collection. onChange: called with another id. */
export function CollectionField({ value, onChange }) {
  const { items, problem } = useCollections();
  const change = (event) => event.target.value && onChange(event.target.value);
  const ids = items.map(({ id }) => id);
  const choices = ids.includes(value) ? ids : [value, ...ids];
  return html`
    <label class="field">
      <span>Collection</span>
      ${problem || ids.length >= MOST_COLLECTIONS
        ? html`<input value=${value} onChange=${change} spellcheck="false" />`
        : html`<select value=${value} onChange=${change}>
            ${choices.map((id) => html`<option value=${id} selected=${id === value}>${id}</option>`)}
          </select>`}
    </label>
  `;
}
