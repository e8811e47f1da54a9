/** A decision in one or two words. The tone only repeats what the words say. */

import { html } from "../vendor/htm-preact.js";

/** tone: `match`, `unknown`, `ambiguous`, `refused` or `plain`. */
export function Badge({ tone = "plain", children }) {
  return html`<span class="badge" data-tone=${tone}>${children}</span>`;
}
