/** The dialogs of groups: move faces, merge groups, show a photograph. */

import { FacePhoto } from "../../components/face_photo.js";
import { useTask } from "../../state.js";
import { html, useEffect, useRef, useState } from "../../vendor/htm-preact.js";
import { Choice } from "../shared/choice.js";
import { Dialog } from "../shared/dialog.js";
import { titleOf } from "./grouping.js";

/** onChosen: called with the id of the group that gets the faces. */
export function MoveFacesDialog({ count, groups, onClose, onChosen }) {
  const title = count === 1 ? "Move 1 face to a group" : `Move ${count} faces to a group`;
  return html`<${ChoiceDialog} ...${{ title, action: "Move", groups, onClose, onChosen }} />`;
}

/** onChosen: called with the id of the group that gets the faces of this one. */
export function MergeGroupDialog({ group, groups, onClose, onChosen }) {
  const others = groups.filter(({ id }) => id !== group.id);
  return html`<${ChoiceDialog} ...${{ title: `Merge ${titleOf(group)} into another group`, action: "Merge", groups: others, onClose, onChosen }} />`;
}

function ChoiceDialog({ title, action, groups, onClose, onChosen }) {
  const [id, setId] = useState(null);
  const task = useTask();
  const options = groups.map((group) => ({ id: group.id, title: titleOf(group), note: `${group.members.length} faces` }));
  return html`
    <${Dialog} title=${title} action=${action} isReady=${id !== null} task=${task} onSubmit=${() => onChosen(id)} onClose=${onClose}>
      <${Choice} label="The group" options=${options} value=${id} onChange=${setId} />
    <//>
  `;
}

/** The whole photograph of a face. */
export function PhotoDialog({ face, onClose }) {
  const dialog = useRef(null);
  useEffect(() => dialog.current.showModal(), []);
  return html`
    <dialog ref=${dialog} class="photo-dialog" aria-label=${face.photo.path} onCancel=${onClose}>
      <${FacePhoto} file=${face.photo.file} faces=${[{ box: face.box, tone: "match" }]} alt=${face.photo.path} />
      <p class="small">${face.photo.path}</p>
      <div class="actions"><button onClick=${onClose}>Close</button></div>
    </dialog>
  `;
}
