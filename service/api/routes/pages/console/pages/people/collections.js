/** All collections: choose, make or delete one. */

import { call } from "../../api.js";
import { ProblemMessage } from "../../components/problem_message.js";
import { useTask } from "../../state.js";
import { html, useState } from "../../vendor/htm-preact.js";
import { CollectionsTable } from "../shared/collections_table.js";
import { useCollections } from "../shared/collections_store.js";
import { Dialog } from "../shared/dialog.js";

export function Collections() {
  const { items, isRead, problem, load } = useCollections();
  const [toDelete, setToDelete] = useState(null);
  const columns = [
    { title: "Collection", cell: ({ id }) => html`<a href=${`#/people/${encodeURIComponent(id)}`}>${id}</a>` },
    { title: "Subjects", number: true, cell: ({ subjects }) => subjects.toLocaleString("en") },
    { title: "Faces", number: true, cell: ({ faces }) => faces.toLocaleString("en") },
    { title: "Faces are kept", cell: ({ expires_after_days: days }) => (days === null ? "until deleted" : `${days} days`) },
    {
      title: html`<span class="unseen">Actions</span>`,
      number: true,
      cell: (one) => html`<button class="quiet" aria-label=${`Delete ${one.id}`} onClick=${() => setToDelete(one)}>Delete</button>`,
    },
  ];
  return html`
    <${ProblemMessage} problem=${problem} onRetry=${load} />
    ${isRead && html`<div class="card collections"><${CollectionsTable} columns=${columns} items=${items} /></div>`}
    <${NewCollection} onMade=${load} />
    ${toDelete && html`<${DeleteDialog} collection=${toDelete} onClose=${() => setToDelete(null)} onDeleted=${load} />`}
  `;
}

function NewCollection({ onMade }) {
  const making = useTask();
  function make(event) {
    event.preventDefault();
    const form = event.target;
    const fields = new FormData(form);
    const days = fields.get("days");
    return making.run(async () => {
      await call("PUT", ["collections", fields.get("name").trim()], { json: { expires_after_days: days ? Number(days) : null } });
      form.reset();
      onMade();
    });
  }
  return html`
    <form class="card" onSubmit=${make} autocomplete="off">
      <h2>New collection</h2>
      <p class="small">A search is in one collection. Make one for each group of people that is searched together.</p>
      <div class="form-row">
        <label class="field">
          <span>Name</span>
          <input name="name" required maxlength="128" pattern="[A-Za-z0-9][A-Za-z0-9._\\-]*" spellcheck="false"
            title="Letters without accents, digits, and . _ - after the first character" />
        </label>
        <label class="field">
          <span>Delete faces after (days)</span>
          <input name="days" type="number" min="1" max="36500" placeholder="never" />
        </label>
        <button class="primary" disabled=${making.busy}>Make the collection</button>
      </div>
      <${ProblemMessage} problem=${making.problem} />
    </form>
  `;
}

/** The user writes the name of the collection, because this cannot be undone. */
function DeleteDialog({ collection, onClose, onDeleted }) {
  const [text, setText] = useState("");
  const deleting = useTask();
  const { id, subjects, faces } = collection;
  function send() {
    return deleting.run(async () => {
      await call("DELETE", ["collections", id]);
      onClose();
      onDeleted();
    });
  }
  return html`
    <${Dialog} title=${`Delete ${id}?`} action="Delete the collection" tone="danger" isReady=${text === id} task=${deleting}
      onSubmit=${send} onClose=${onClose}>
      <p>
        Its ${subjects.toLocaleString("en")} subjects and ${faces.toLocaleString("en")} faces are deleted. This cannot be undone.
      </p>
      <label class="field">
        <span>Write <strong>${id}</strong> to confirm</span>
        <input value=${text} onInput=${(event) => setText(event.target.value)} spellcheck="false" autocapitalize="off" />
      </label>
    <//>
  `;
}
