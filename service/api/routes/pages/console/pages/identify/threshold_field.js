/** The threshold of a search. It may be empty: then the service uses its own, which depends on the size of the collection. */

import { html } from "../../vendor/htm-preact.js";

/** value: a squared L2 distance, or null. onChange: called with another one, once the user has written it. */
export function ThresholdField({ value, onChange }) {
  function change({ target }) {
    if (target.reportValidity()) onChange(target.value === "" ? null : Number(target.value));
  }
  return html`
    <label class="field">
      <span>Threshold (0 to 4)</span>
      <input type="number" min="0" max="4" step="0.001" value=${value ?? ""} placeholder="the service's own" onChange=${change} />
    </label>
  `;
}
