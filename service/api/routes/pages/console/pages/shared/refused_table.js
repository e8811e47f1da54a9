/** The photographs that were refused, and why. As a table, and as a CSV file. */

import { DataTable } from "../../components/data_table.js";
import { html } from "../../vendor/htm-preact.js";

const MOST_SHOWN = 100;
const COLUMNS = [
  { title: "Photograph", cell: ({ path }) => html`<span class="file-path">${path}</span>` },
  { title: "Reason", cell: ({ code, detail }) => html`${detail} <span class="small">Code <code>${code}</code></span>` },
];

/** title: such as "Not enrolled". rows: `[{ path, code, detail, face }]`. face: for `known_elsewhere`, the face that is enrolled. */
export function RefusedTable({ title, rows }) {
  if (rows.length === 0) return null;
  const isLong = rows.length > MOST_SHOWN;
  return html`
    <${DataTable} caption=${`${title}: ${rows.length}`} columns=${COLUMNS} rows=${rows.slice(0, MOST_SHOWN)} />
    ${isLong && html`<p class="small">The first ${MOST_SHOWN} are shown. The file has all of them.</p>`}
    <div class="actions"><button onClick=${() => download(csvOf(rows), `${title.toLowerCase().replaceAll(" ", "-")}.csv`)}>Download as CSV</button></div>
  `;
}

function csvOf(rows) {
  const lines = [["file", "code", "reason", "face"], ...rows.map(({ path, code, detail, face }) => [path, code, detail, face ?? ""])];
  return lines.map((line) => `${line.map(csvField).join(",")}\r\n`).join("");
}

/** A field that begins like a formula gets an apostrophe, so that no spreadsheet runs the name of a file. */
function csvField(value) {
  const text = String(value);
  return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
}

function download(text, name) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000); // the browser reads it after the click
}
