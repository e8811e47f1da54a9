/** The groups of faces, and what can be done with the selected ones. */

import { html, useEffect, useMemo, useState } from "../../vendor/htm-preact.js";
import { RefusedTable } from "../shared/refused_table.js";
import { EnrolDialog } from "./enrol_dialog.js";
import { enrolmentJob } from "./group_enrolment.js";
import { MergeGroupDialog, MoveFacesDialog, PhotoDialog } from "./group_dialogs.js";
import { GroupList } from "./group_list.js";
import { makeGroup, membersOf, mergeGroups, moveFaces, NOBODY, noteEnrolment } from "./grouping.js";

/**
 * faces: as `findFaces` returns them. grouping: see grouping.js. onChange: called with the grouping after a change.
 * onRegroup: called with another threshold.
 */
export function GroupsView({ faces, grouping, onChange, onRegroup }) {
  const [selected, setSelected] = useState(new Set());
  const [dialog, setDialog] = useState(runningDialog()); // { kind, group }
  const { groups, nobody } = useMemo(() => membersOf(grouping), [grouping]);
  const notEnrolled = groups.flatMap(({ enrolment }) => enrolment?.refused ?? []);
  const close = () => setDialog(null);

  function open(kind, group) {
    enrolmentJob.clear(); // the name and the problem of the group before
    setDialog({ kind, group });
  }
  function clear() {
    const [last] = [...selected].slice(-1);
    setSelected(new Set());
    setTimeout(() => document.querySelector(`[data-face="${last}"]`)?.focus({ preventScroll: true })); // the bar had the focus
  }
  function regroup(threshold) {
    setSelected(new Set());
    onRegroup(threshold);
  }
  function change(changed) {
    close();
    onChange(changed);
    clear();
  }
  function toggle(face) {
    const next = new Set(selected);
    if (!next.delete(face)) next.add(face);
    setSelected(next);
  }
  return html`
    <${Summary} ...${{ faces, groups, nobody, grouping, onUndo: () => change(grouping.before) }} />
    <${Regroup} threshold=${grouping.threshold} onRegroup=${regroup} />
    <${GroupList} ...${{ faces, groups, nobody, selected, onToggle: toggle, onAction: open }} />
    ${notEnrolled.length > 0 && html`<section class="card" aria-label="Not enrolled"><${RefusedTable} title="Not enrolled" rows=${notEnrolled} /></section>`}
    <${SelectionBar}
      count=${selected.size}
      onMove=${() => setDialog({ kind: "move" })}
      onNew=${() => change(makeGroup(grouping, selected))}
      onNobody=${() => change(moveFaces(grouping, selected, NOBODY))}
      onShow=${() => setDialog({ kind: "photo" })}
      onClear=${clear}
    />
    ${dialog?.kind === "move" &&
    html`<${MoveFacesDialog} ...${{ count: selected.size, groups, onClose: close, onChosen: (id) => change(moveFaces(grouping, selected, id)) }} />`}
    ${dialog?.kind === "merge" &&
    html`<${MergeGroupDialog} ...${{ group: dialog.group, groups, onClose: close, onChosen: (id) => change(mergeGroups(grouping, dialog.group.id, id)) }} />`}
    ${dialog?.kind === "enrol" &&
    html`<${EnrolDialog} ...${{ group: dialog.group, faces, model: grouping.model, onClose: close, onEnrolled: (done) => change(noteEnrolment(grouping, dialog.group.id, done)) }} />`}
    ${dialog?.kind === "photo" && html`<${PhotoDialog} face=${faces[[...selected][0]]} onClose=${close} />`}
  `;
}

/** Return the dialog of an enrolment that has gone on with another access key or while the user was on another page, or null. */
function runningDialog() {
  const { busy, problem, group } = enrolmentJob.state;
  return busy || problem ? { kind: "enrol", group } : null;
}

function Summary({ faces, groups, nobody, grouping, onUndo }) {
  const photos = useMemo(() => new Set(faces.map(({ photo }) => photo)).size, [faces]);
  const parts = [`${groups.length} ${groups.length === 1 ? "group" : "groups"}`, `${faces.length} faces`, `${photos} photographs`];
  return html`
    <div class="toolbar-line">
      <p role="status"><strong>${parts.join(", ")}</strong>${nobody.length > 0 && `. ${nobody.length === 1 ? "1 face is" : `${nobody.length} faces are`} in no group.`}</p>
      ${grouping.before && html`<button onClick=${onUndo}>Undo the last change</button>`}
    </div>
  `;
}

/** Group again with another threshold. The embeddings are still here, so no photograph is sent. */
function Regroup({ threshold, onRegroup }) {
  function submit(event) {
    event.preventDefault();
    onRegroup(Number(new FormData(event.target).get("threshold")));
  }
  return html`
    <details>
      <summary>Too many groups, or mixed ones?</summary>
      <form class="regroup" onSubmit=${submit}>
        <label class="field">
          <span>Threshold</span>
          <input name="threshold" type="number" min="0" max="4" step="0.001" required defaultValue=${threshold.toFixed(3)} />
        </label>
        <button>Group again</button>
        <p class="small">A higher threshold makes fewer and larger groups. Changes that were made by hand are lost.</p>
      </form>
    </details>
  `;
}

/** It stays at the lower edge of the screen while faces are selected. */
function SelectionBar({ count, onMove, onNew, onNobody, onShow, onClear }) {
  useEffect(() => {
    const press = (event) => event.key === "Escape" && !document.querySelector("dialog[open]") && onClear();
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });
  return html`
    <div class="selection" role="region" aria-label="Selected faces" hidden=${count === 0}>
      <p role="status">${count === 1 ? "1 face selected" : `${count} faces selected`}</p>
      <div class="actions">
        <button class="primary" onClick=${onMove}>Move …</button>
        <button onClick=${onNew}>New group</button>
        <button onClick=${onNobody}>No group</button>
        ${count === 1 && html`<button onClick=${onShow}>Photograph</button>`}
        <button class="quiet" onClick=${onClear}>Clear</button>
      </div>
    </div>
  `;
}
