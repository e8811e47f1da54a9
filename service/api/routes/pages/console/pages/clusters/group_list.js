/** The groups as rows of a windowed list: a heading, then rows of faces. */

import { Badge } from "../../components/badge.js";
import { html, useEffect, useMemo, useRef, useState } from "../../vendor/htm-preact.js";
import { describeCounts } from "../shared/enrolling.js";
import { useWidthRem, WindowedList } from "../shared/windowed_list.js";
import { repeatedPhotos, titleOf } from "./grouping.js";

const FACE_REM = 6.5;
const HEADING_REM = 4;
const BADGE_REM = 2;
const NARROW_REM = 34; // so narrow, a badge and the buttons of a group each have a line of their own

/** nobody: the faces that are in no group. onAction: called with `enrol` or `merge`, and the group. */
export function GroupList({ faces, groups, nobody, selected, onToggle, onAction }) {
  const frame = useRef(null);
  const [active, setActive] = useState(null); // the face that had the focus last
  const width = useWidthRem(frame);
  const columns = Math.max(1, Math.floor(width / FACE_REM));
  const isNarrow = width < NARROW_REM;
  const rows = useMemo(() => rowsOf(faces, groups, nobody, columns), [faces, groups, nobody, columns, isNarrow]);
  const addressOf = useAddresses();
  const pinned = active === null ? null : rows.findIndex((row) => row.members?.includes(active));

  function press(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    const row = rows[pinned];
    if (step === undefined || !event.target.dataset.face || !row) return;
    event.preventDefault();
    const next = row.all[row.all.indexOf(active) + step];
    if (next !== undefined) focusFace(frame.current, next);
  }
  return html`
    <div ref=${frame} class="groups" onKeyDown=${press}>
      <${WindowedList}
        rows=${rows}
        heightOf=${(row) => (row.members ? FACE_REM : headingRem(row, isNarrow))}
        keyOf=${({ key }) => key}
        pinned=${pinned === -1 ? null : pinned}
        draw=${(row) =>
          row.members
            ? html`<${FaceRow} ...${{ row, faces, active, selected, addressOf, onToggle, onFocus: setActive }} />`
            : html`<${Heading} ...${{ row, onAction }} />`}
      />
    </div>
  `;
}

function headingRem({ group, isRepeated }, isNarrow) {
  const badges = Number(Boolean(group?.enrolment)) + Number(Boolean(isRepeated));
  return isNarrow ? HEADING_REM + BADGE_REM * (1 + badges) : HEADING_REM;
}

function Heading({ row: { title, group, size, isRepeated }, onAction }) {
  const address = group?.enrolment && `#/people/${encodeURIComponent(group.enrolment.collection)}/${encodeURIComponent(group.enrolment.subject)}`;
  return html`
    <div class="group-heading">
      <h2>${address ? html`<a href=${address}>${title}</a>` : title} <span class="small">${size === 1 ? "1 face" : `${size} faces`}</span></h2>
      ${group?.enrolment && html`<${Badge} tone=${group.enrolment.counts.refused ? "ambiguous" : "match"}>${describeCounts(group.enrolment.counts)}<//>`}
      ${isRepeated && html`<${Badge} tone="ambiguous">two faces of one photograph<//>`}
      ${group &&
      html`
        <span class="group-actions">
          <button class="quiet" aria-label=${`Merge ${title}`} onClick=${() => onAction("merge", group)}>Merge</button>
          <button aria-label=${`Name ${title}`} onClick=${() => onAction("enrol", group)}>Name</button>
        </span>
      `}
    </div>
  `;
}

function FaceRow({ row, faces, active, selected, addressOf, onToggle, onFocus }) {
  const stop = row.members.includes(active) ? active : row.members[0];
  return html`
    <div class="group-faces" role="group" aria-label=${`Faces of ${row.title}`}>
      ${row.members.map(
        (face) => html`
          <button
            key=${face}
            class="group-face"
            data-face=${face}
            tabindex=${face === stop ? 0 : -1}
            aria-pressed=${selected.has(face)}
            aria-label=${`Face in ${faces[face].photo.path}`}
            title=${faces[face].photo.path}
            onFocus=${() => onFocus(face)}
            onClick=${() => onToggle(face)}
          >
            ${faces[face].picture ? html`<img src=${addressOf(faces[face].picture)} decoding="async" alt="" />` : html`<span class="group-unseen">no preview</span>`}
          </button>
        `,
      )}
    </div>
  `;
}

/** Return a function that returns the address of a picture. An address is made once, because that takes time. All end with the list. */
function useAddresses() {
  const addresses = useRef(new Map());
  useEffect(
    () => () => {
      for (const address of addresses.current.values()) URL.revokeObjectURL(address);
    },
    [],
  );
  return (picture) => {
    if (!addresses.current.has(picture)) addresses.current.set(picture, URL.createObjectURL(picture));
    return addresses.current.get(picture);
  };
}

function rowsOf(faces, groups, nobody, columns) {
  const rows = [];
  for (const group of groups) {
    const title = titleOf(group);
    const isRepeated = repeatedPhotos(faces, group.members).size > 0;
    rows.push({ key: `heading-${group.id}`, title, group, size: group.members.length, isRepeated }, ...faceRows(title, group.members, columns));
  }
  if (nobody.length > 0) {
    const title = "No group";
    rows.push({ key: "heading-nobody", title, group: null, size: nobody.length }, ...faceRows(title, nobody, columns));
  }
  return rows;
}

/** all: the faces of the whole group, for the arrow keys. */
function faceRows(title, all, columns) {
  const rows = [];
  for (let start = 0; start < all.length; start += columns) {
    const members = all.slice(start, start + columns);
    rows.push({ key: `faces-${members[0]}`, title, members, all });
  }
  return rows;
}

function focusFace(frame, face) {
  frame.querySelector(`[data-face="${face}"]`)?.focus();
}
