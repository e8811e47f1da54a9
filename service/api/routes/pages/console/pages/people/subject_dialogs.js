/** The dialogs of a subject: rename, merge, and move one of its faces. */

import { call } from "../../api.js";
import { useTask } from "../../state.js";
import { html, useState } from "../../vendor/htm-preact.js";
import { Choice } from "../shared/choice.js";
import { Dialog } from "../shared/dialog.js";
import { countFaces, nameOf } from "./subject_list.js";

/** path: of the subject. onRenamed: called with the changed subject. */
export function RenameDialog({ path, subject, onClose, onRenamed }) {
  const task = useTask();
  function send(fields) {
    return task.run(async () => {
      onRenamed(await call("PATCH", path, { json: { name: fields.get("name").trim() || null } }));
      onClose();
    });
  }
  return html`
    <${Dialog} title="Rename" action="Rename" task=${task} onSubmit=${send} onClose=${onClose}>
      <label class="field"><span>Name</span><input name="name" maxlength="256" defaultValue=${subject.name ?? ""} /></label>
      <p class="small">The id ${subject.id} stays. Programs know the person by it.</p>
    <//>
  `;
}

/** onMerged: called with the subject that has all faces now. */
export function MergeDialog({ collection, subject, subjects, onClose, onMerged }) {
  const [target, setTarget] = useState(null);
  const task = useTask();
  function send() {
    return task.run(async () => {
      const path = ["collections", collection, "subjects", target, "merge"];
      const answer = await call("POST", path, { json: { from: subject.id } });
      onClose();
      onMerged(answer.subject);
    });
  }
  return html`
    <${Dialog} title=${`Merge ${nameOf(subject)} into another subject`} action="Merge" isReady=${target !== null} task=${task}
      onSubmit=${send} onClose=${onClose}>
      <p>The other subject gets ${countFaces(subject.faces)}, and keeps its own name. ${nameOf(subject)} is then deleted. This cannot be undone.</p>
      <${Choice} label="The other subject" options=${othersThan(subject.id, subjects)} value=${target} onChange=${setTarget} />
    <//>
  `;
}

/** onMoved: called when the face belongs to the other subject. */
export function MoveDialog({ collection, face, subjects, onClose, onMoved }) {
  const [target, setTarget] = useState(null);
  const task = useTask();
  function send() {
    return task.run(async () => {
      await call("PATCH", ["collections", collection, "faces", face.id], { json: { subject: target } });
      onClose();
      onMoved(target);
    });
  }
  return html`
    <${Dialog} title="Move the face to another subject" action="Move" isReady=${target !== null} task=${task} onSubmit=${send} onClose=${onClose}>
      <${Choice} label="The other subject" options=${othersThan(face.subject, subjects)} value=${target} onChange=${setTarget} />
    <//>
  `;
}

function othersThan(id, { items }) {
  const others = items.filter((subject) => subject.id !== id);
  return others.map((subject) => ({ id: subject.id, title: nameOf(subject), note: countFaces(subject.faces) }));
}
