/** How much of a long work is done. */

import { html } from "../vendor/htm-preact.js";

/** label: what is counted, such as "photographs". note: what happens now. */
export function ProgressBar({ done, total, label, note = "" }) {
  return html`
    <div class="progress">
      <progress max=${total} value=${done} aria-label=${label}></progress>
      <p class="small" aria-live="polite">${done} of ${total} ${label}. ${note}</p>
    </div>
  `;
}
