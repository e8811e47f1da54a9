/** The page Identify: the faces of one photograph, and the nearest enrolled subjects of each. */

import { call } from "../api.js";
import { inWords } from "../calculations/calibration.js";
import { FacePhoto } from "../components/face_photo.js";
import { PhotoDrop, usePastedPhotos } from "../components/photo_drop.js";
import { ProblemMessage } from "../components/problem_message.js";
import { useGiven, useKept, useTask } from "../state.js";
import { html, useEffect } from "../vendor/htm-preact.js";
import { FaceDecision, nameOf } from "./identify/face_decision.js";
import { ThresholdField } from "./identify/threshold_field.js";
import { CollectionField } from "./shared/collection_field.js";

const CANDIDATES = 5;

export function IdentifyPage() {
  const [file, setFile] = useGiven("identify.file", null);
  const [collection, setCollection] = useKept("collection", "default");
  const [threshold, setThreshold] = useGiven("identify.threshold", null);
  const [answer, setAnswer] = useKept("identify.answer", null);
  const [selected, setSelected] = useKept("identify.selected", 0);
  const work = useTask();

  function identify() {
    return work.run(async (signal) => {
      const query = { collection, k: CANDIDATES, threshold };
      setAnswer(await call("POST", "identify", { query, form: { image: file }, signal }));
      setSelected(0);
    });
  }

  useEffect(() => {
    if (file && !answer) identify();
  }, [file, collection, threshold]);

  function choose(newFile) {
    work.clear();
    setAnswer(null);
    setFile(newFile);
  }
  usePastedPhotos(([photo]) => choose(photo.file));

  function chooseCollection(newCollection) {
    if (newCollection === collection) return; // the answer is still right, and would not be asked for again
    setAnswer(null);
    setCollection(newCollection);
  }

  function chooseThreshold(newThreshold) {
    if (newThreshold === threshold) return; // such as after a threshold that the browser refused
    setAnswer(null);
    setThreshold(newThreshold);
  }

  return html`
    <div class="toolbar">
      <${CollectionField} value=${collection} onChange=${chooseCollection} />
      <${ThresholdField} value=${threshold} onChange=${chooseThreshold} />
      ${file && html`<button onClick=${() => choose(null)}>Another photograph</button>`}
    </div>
    <div class="live" aria-live="polite">
      ${work.busy && html`<p class="notice">Identifying …</p>`}
      <${ProblemMessage} problem=${work.problem} onRetry=${identify} />
    </div>
    ${file === null
      ? html`
          <${PhotoDrop} label="A photograph of one person or of several" onPhotos=${([photo]) => photo && choose(photo.file)} />
          <p class="small">The service compares each face with the enrolled ones. It does not store the photograph.</p>
        `
      : html`<${Result} ...${{ file, answer, selected, onSelect: setSelected }} />`}
  `;
}

/** The photograph with its boxes, and beside it the selected face. */
function Result({ file, answer, selected, onSelect }) {
  const faces = inReadingOrder(answer?.faces ?? []);
  const boxes = faces.map((face) => ({ ...face, tone: face.decision, label: labelOf(face), title: nameOf(face) }));
  return html`
    <div class="identify">
      <div class="identify-photo">
        <${FacePhoto} file=${file} faces=${boxes} selected=${selected} onSelect=${onSelect} alt="The photograph" />
        ${answer && html`<p class="small">${describe(answer)}</p>`}
        ${faces.length > 1 && html`<${FaceList} ...${{ faces, selected, onSelect }} />`}
      </div>
      ${answer &&
      html`
        <div class="identify-faces">
          ${faces.length === 0 && html`<p class="empty">No face was found in this photograph.</p>`}
          ${faces.length > 0 && html`<${FaceDecision} ...${{ file, face: faces[selected], number: selected + 1, threshold: answer.threshold }} />`}
        </div>
      `}
    </div>
  `;
}

/** Return the faces from left to right. `takenBy`: the number of the face that got the nearest subject, or null. */
function inReadingOrder(faces) {
  const order = faces.map((_, position) => position).sort((a, b) => faces[a].box.x - faces[b].box.x);
  return order.map((position) => {
    const face = faces[position];
    const taken = face.nearest_taken_by;
    return { ...face, takenBy: taken === null ? null : order.indexOf(taken) + 1 };
  });
}

/** Return a short text for the box, because the boxes of a group are near each other. */
function labelOf(face) {
  return face.decision === "unknown" ? "?" : nameOf(face);
}

/** All faces by name, for those who do not click on boxes. */
function FaceList({ faces, selected, onSelect }) {
  return html`
    <ul class="face-list" aria-label="Faces of the photograph">
      ${faces.map(
        (face, position) => html`
          <li>
            <button aria-pressed=${position === selected} onClick=${() => onSelect(position)}>
              <span class="dot" data-tone=${face.decision}></span>${position + 1}. ${nameOf(face)}
            </button>
          </li>
        `,
      )}
    </ul>
  `;
}

function describe({ faces, gallery_size: size, threshold, fpir, warnings }) {
  const found = faces.length === 1 ? "1 face" : `${faces.length} faces`;
  const compared = size === 0 ? "The collection has no faces yet." : `Compared with ${size.toLocaleString("en")} enrolled faces.`;
  const rate = fpir === null ? "" : `, at which a stranger gets a name in ${inWords(fpir)}`;
  const notes = warnings.map((warning) => ` ${warning.detail}`).join("");
  return `${found}. ${compared} Threshold ${threshold.toFixed(3)}${rate}.${notes}`;
}
