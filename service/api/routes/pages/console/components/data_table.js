/** Rows with a caption and column titles. On a narrow screen, the table scrolls and the page does not. */

import { html } from "../vendor/htm-preact.js";

/**
 * columns: `[{ title, cell, number }]`. `cell(row)` returns what is shown; `number` aligns to the right.
 * empty: the text in place of a table without rows.
 */
export function DataTable({ caption, columns, rows, empty = "Nothing here yet." }) {
  if (rows.length === 0) return html`<p class="empty">${empty}</p>`;
  return html`
    <div class="table-frame" role="region" aria-label=${caption} tabindex="0">
      <table>
        <caption>${caption}</caption>
        <thead>
          <tr>${columns.map(({ title, number }) => html`<th scope="col" class=${number ? "number" : ""}>${title}</th>`)}</tr>
        </thead>
        <tbody>
          ${rows.map(
            (row) =>
              html`<tr>${columns.map(({ cell, number }) => html`<td class=${number ? "number" : ""}>${cell(row)}</td>`)}</tr>`,
          )}
        </tbody>
      </table>
    </div>
  `;
}
