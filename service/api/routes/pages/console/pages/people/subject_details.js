/** One subject: its name, its faces, and what can be done with them. */

import { call } from "../../api.js";
import { ProblemMessage } from "../../components/problem_message.js";
import { useTask } from "../../state.js";
import { html, useEffect, useRef, useState } from "../../vendor/htm-preact.js";
import { EnrolledFaces } from "./enrolled_faces.js";
import { MorePhotos } from "./more_photos.js";
import { countFaces, nameOf } from "./subject_list.js";
import { MergeDialog, RenameDialog } from "./subject_dialogs.js";
import { deleteSoon, useDeleted } from "./waiting_deletion.js";

/** address: of the collection. id: of the subject. subjects: as `useSubjects` returns them. */
export function SubjectDetails({ collection, address, id, subjects }) {
  const [subject, setSubject] = useState(subjects.items.find((one) => one.id === id) ?? null);
  const [dialog, setDialog] = useState(null);
  const [faces, setFaces] = useState(0);
  const loading = useTask();
  const path = ["collections", collection, "subjects", id];

  function show(found) {
    setSubject(found);
    subjects.put(found);
  }
  const load = () => loading.run(async (signal) => show(await call("GET", path, { signal })));
  useEffect(() => void load(), []);
  useDeleted(([, inCollection, kind, deleted]) => {
    if (inCollection !== collection || kind !== "subjects" || deleted !== id) return;
    loading.clear(); // the answer would put it back into the list
    location.hash = address;
  });
  const heading = useRef(null);
  useEffect(() => {
    const isListHidden = document.activeElement === document.body; // on a narrow screen, with the row that had the focus
    if (isListHidden) heading.current?.focus();
  }, []);

  function reload() {
    setFaces((count) => count + 1);
    return load();
  }
  function deleteIt() {
    const label = `${nameOf(subject)} with ${countFaces(subject.faces)}`;
    deleteSoon({ path, label });
    location.hash = address;
  }
  function merged(target) {
    subjects.remove(id);
    subjects.put(target);
    location.hash = `${address}/${encodeURIComponent(target.id)}`;
  }
  if (loading.problem) return html`<${ProblemMessage} problem=${loading.problem} onRetry=${load} />`;
  if (subject === null) return html`<p class="empty">Loading …</p>`;
  const close = () => setDialog(null);
  return html`
    <section class="card" aria-labelledby="subject-name">
      <a class="back" href=${address}>← All subjects</a>
      <div class="subject-head">
        <h2 id="subject-name" ref=${heading} tabindex="-1">${nameOf(subject)}</h2>
        <p class="small">${describe(subject)}</p>
      </div>
      <div class="actions">
        <button onClick=${() => setDialog("rename")}>Rename</button>
        <button onClick=${() => setDialog("merge")}>Merge …</button>
        <button class="danger" onClick=${deleteIt}>Delete</button>
      </div>
      <${EnrolledFaces} key=${faces} ...${{ collection, subject, subjects, onChange: reload }} />
    </section>
    <${MorePhotos} ...${{ collection, id, onEnrolled: reload }} />
    ${dialog === "rename" && html`<${RenameDialog} ...${{ path, subject, onClose: close, onRenamed: show }} />`}
    ${dialog === "merge" && html`<${MergeDialog} ...${{ collection, subject, subjects, onClose: close, onMerged: merged }} />`}
  `;
}

function describe({ id, name, faces, created_at: created }) {
  const since = new Date(created).toLocaleDateString("en", { dateStyle: "medium" });
  return `${name && name !== id ? `${id} · ` : ""}${countFaces(faces)} · since ${since}`;
}
