/** How many subjects and faces each collection has. */

import { ProblemMessage } from "../../components/problem_message.js";
import { html } from "../../vendor/htm-preact.js";
import { CollectionsTable } from "../shared/collections_table.js";
import { useCollections } from "../shared/collections_store.js";

const COLUMNS = [
  { title: "Collection", cell: ({ id }) => html`<a href=${`#/people/${encodeURIComponent(id)}`}>${id}</a>` },
  { title: "Subjects", number: true, cell: ({ subjects }) => subjects.toLocaleString("en") },
  { title: "Faces", number: true, cell: ({ faces }) => faces.toLocaleString("en") },
  { title: "Faces expire after", cell: ({ expires_after_days: days }) => (days === null ? "never" : `${days} days`) },
  { title: "Index", cell: ({ index }) => describeIndex(index) },
];

export function Collections() {
  const { items, isRead, problem, load } = useCollections();
  return html`
    <section class="card">
      <${ProblemMessage} problem=${problem} onRetry=${load} />
      ${isRead && html`<${CollectionsTable} columns=${COLUMNS} items=${items} />`}
    </section>
  `;
}

function describeIndex(index) {
  if (index === null) return "not in memory";
  if (index.exact) return "exact";
  return index.agreement ? `compressed, finds ${(100 * index.agreement.share).toFixed(1)} %` : "compressed";
}
