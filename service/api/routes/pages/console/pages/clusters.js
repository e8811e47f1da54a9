/** The page Clusters: the faces of many photographs, grouped by person. */

import { callPatiently } from "../api.js";
import { photosOfInput } from "../components/photo_files.js";
import { PhotoDrop, usePastedPhotos } from "../components/photo_drop.js";
import { ProblemMessage } from "../components/problem_message.js";
import { ProgressBar } from "../components/progress_bar.js";
import { Job, useJob, useTask } from "../state.js";
import { html, useState } from "../vendor/htm-preact.js";
import { findFaces } from "./clusters/face_finding.js";
import { groupsOf } from "./clusters/grouping.js";
import { GroupsView } from "./clusters/groups_view.js";
import { RefusedTable } from "./shared/refused_table.js";

const job = new Job();

export function ClustersPage() {
  const { busy, done, total, note, problem, refused = [], faces = null, model, grouping = null } = useJob(job);
  const regrouping = useTask();
  const [hasNothing, setHasNothing] = useState(false);

  function start(photos) {
    setHasNothing(photos.length === 0);
    if (photos.length === 0) return;
    job.run({ total: photos.length, refused: [], faces: null, grouping: null }, async (signal) => {
      const found = await findFaces(job, photos, signal);
      job.report({ ...found, note: `Grouping ${found.faces.length.toLocaleString("en")} faces …` });
      if (found.faces.length > 0) job.report({ grouping: await group(found.faces, found.model, null, signal) });
    });
  }
  function regroup(threshold) {
    return regrouping.run(async (signal) => job.report({ grouping: await group(faces, model, threshold, signal), problem: null }));
  }
  usePastedPhotos((photos) => busy || faces || start(photos));

  if (busy) {
    return html`
      <div class="card">
        <${ProgressBar} done=${done} total=${total} label="photographs" note=${note} />
        <div class="actions"><button onClick=${() => job.clear()}>Stop</button></div>
      </div>
    `;
  }
  return html`
    <${ProblemMessage} problem=${problem ?? regrouping.problem} onRetry=${faces && (() => regroup(null))} />
    <p class="live" role="status">${regrouping.busy && "Grouping …"}</p>
    <p class="live" role="status">${hasNothing && "No photograph is in it."}</p>
    ${faces === null && html`<${Start} onPhotos=${start} />`}
    ${faces?.length === 0 && html`<p class="empty">No face was found in these photographs.</p>`}
    ${grouping && html`<${GroupsView} ...${{ faces, grouping, onRegroup: regroup, onChange: (changed) => job.report({ grouping: changed }) }} />`}
    ${refused.length > 0 && html`<section class="card" aria-label="Left out"><${RefusedTable} title="Left out" rows=${refused} /></section>`}
    ${faces !== null && html`<div class="actions"><button onClick=${() => job.clear()}>Other photographs</button></div>`}
  `;
}

function Start({ onPhotos }) {
  return html`
    <${PhotoDrop} label="A folder of photographs" folder onPhotos=${onPhotos} />
    <div class="hint">
      <p class="small">Nobody has to be enrolled. The service stores nothing of these photographs, until you give a group a name.</p>
      <label class="button">
        Choose single photographs
        <input type="file" class="hidden-input" accept="image/*,.heic,.heif" multiple onChange=${(event) => onPhotos(photosOfInput(event.target))} />
      </label>
    </div>
  `;
}

/** threshold: a squared L2 distance, or null for the one of the model. */
async function group(faces, model, threshold, signal) {
  const json = { model: model.id, embeddings: faces.map(({ embedding }) => [...embedding]) };
  return groupsOf(await callPatiently("POST", "cluster", { query: { threshold }, json, signal }), model);
}
