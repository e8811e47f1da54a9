/** The faces of a subject: a picture if the operator keeps crops, and when each was enrolled. */

import { ProblemMessage } from "../../components/problem_message.js";
import { useTask } from "../../state.js";
import { html, useEffect, useMemo, useRef, useState } from "../../vendor/htm-preact.js";
import { readList } from "../shared/list_reading.js";
import { useWidthRem, WindowedList } from "../shared/windowed_list.js";
import { FacePicture } from "./face_picture.js";
import { MoveDialog } from "./subject_dialogs.js";
import { countFaces, nameOf } from "./subject_list.js";
import { deleteSoon, isDeleted, useDeleted } from "./waiting_deletion.js";

const CARD_REM = { width: 9.5, height: 13.5 };

/** onChange: called when faces were moved or deleted, or are to be read again. */
export function EnrolledFaces({ collection, subject, subjects, onChange }) {
  const [faces, setFaces] = useState(null);
  const [toMove, setToMove] = useState(null);
  const [pictureProblem, setPictureProblem] = useState(null); // of the last picture that was not loaded
  const loading = useTask();
  const pathOf = (face) => ["collections", collection, "faces", face.id];

  function load() {
    return loading.run(async (signal) => {
      const path = ["collections", collection, "subjects", subject.id, "faces"];
      for await (const { items } of readList(path, { signal })) setFaces(items);
    });
  }
  useEffect(() => void load(), []);
  useDeleted(([, inCollection, kind, id]) => {
    if (inCollection !== collection || kind !== "faces") return;
    if (faces === null || faces.some((face) => face.id === id)) onChange();
  });

  function deleteFace(face, position) {
    const label = `Face ${position + 1} of ${nameOf(subject)}`;
    deleteSoon({ path: pathOf(face), label });
  }
  if (loading.problem) return html`<${ProblemMessage} problem=${loading.problem} onRetry=${load} />`;
  if (faces === null) return html`<p class="small">Loading the faces …</p>`;
  const shown = faces.filter((face) => !isDeleted(pathOf(face)));
  return html`
    <${ProblemMessage} problem=${pictureProblem} onRetry=${onChange} />
    ${shown.length === 0
      ? html`<p class="empty">No face yet. Add photographs below.</p>`
      : html`<${FaceGrid} ...${{ collection, faces: shown, onMove: setToMove, onDelete: deleteFace, onProblem: setPictureProblem }} />`}
    ${toMove &&
    html`<${MoveDialog} ...${{ collection, face: toMove, subjects, onClose: () => setToMove(null), onMoved: onChange }} />`}
  `;
}

function FaceGrid({ faces, ...card }) {
  const frame = useRef(null);
  const columns = Math.max(1, Math.floor(useWidthRem(frame) / CARD_REM.width));
  const rows = useMemo(() => rowsOf(faces, columns), [faces, columns]);
  return html`
    <div ref=${frame} class="faces-frame" role="region" aria-label=${countFaces(faces.length)} tabindex="0">
      <${WindowedList}
        rows=${rows}
        heightOf=${() => CARD_REM.height}
        keyOf=${(row) => row[0].face.id}
        draw=${(row) => html`
          <ul class="face-row" style=${{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` }}>
            ${row.map(({ face, position }) => html`<${FaceCard} key=${face.id} ...${{ ...card, face, position }} />`)}
          </ul>
        `}
      />
    </div>
  `;
}

function FaceCard({ collection, face, position, onMove, onDelete, onProblem }) {
  const title = `Face ${position + 1}`;
  const time = new Date(face.created_at);
  return html`
    <li class="face-card">
      <${FacePicture} collection=${collection} face=${face} alt=${title} onProblem=${onProblem} />
      <p><strong>${title}</strong><br /><span class="small">${time.toLocaleDateString("en", { dateStyle: "medium" })}</span></p>
      <div class="face-card-actions">
        <button class="quiet" aria-label=${`Move ${title}`} onClick=${() => onMove(face)}>Move</button>
        <button class="quiet" aria-label=${`Delete ${title}`} onClick=${() => onDelete(face, position)}>Delete</button>
      </div>
    </li>
  `;
}

function rowsOf(faces, columns) {
  const rows = [];
  faces.forEach((face, position) => {
    if (position % columns === 0) rows.push([]);
    rows.at(-1).push({ face, position });
  });
  return rows;
}
