/** What went wrong, in the words of the service, and what to do. */

import { askForAccessKey } from "../access_key.js";
import { Problem } from "../api.js";
import { html } from "../vendor/htm-preact.js";

const ABOUT_KEYS = new Set(["key_missing", "key_invalid", "scope_missing", "all_collections_needed"]);

/** problem: a Problem, another Error, or null, which shows nothing. onRetry: shows a button. */
export function ProblemMessage({ problem, onRetry }) {
  if (!problem) return null;
  const isKnown = problem instanceof Problem;
  return html`
    <div class="problem" role="alert">
      <p><strong>${isKnown ? problem.detail : "The page has a bug."}</strong></p>
      ${problem.fields?.length > 0 && html`<ul>${problem.fields.map((field) => html`<li><code>${field.where}</code>: ${field.message}</li>`)}</ul>`}
      <p class="small">
        ${isKnown ? html`Code <code>${problem.code}</code>` : problem.message}
        ${problem.retryAfterS !== null && isKnown && html`. Try again in ${problem.retryAfterS} s`}
        ${problem.requestId && html`. Request <code>${problem.requestId.slice(0, 8)}</code> in the log`}
      </p>
      <div class="actions">
        ${onRetry && html`<button onClick=${onRetry}>Try again</button>`}
        ${ABOUT_KEYS.has(problem.code) && html`<button onClick=${() => askForAccessKey("chosen")}>Use another key</button>`}
      </div>
    </div>
  `;
}
