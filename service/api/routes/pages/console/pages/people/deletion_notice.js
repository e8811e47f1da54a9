/** What is being deleted, with a button that undoes it. It is the first thing after the heading of the page. */

import { ProblemMessage } from "../../components/problem_message.js";
import { html, useEffect } from "../../vendor/htm-preact.js";
import { forgetFailure, goOn, pause, undo, useWaitingDeletion, WAIT_S } from "./waiting_deletion.js";

export function WaitingDeletion() {
  const { waiting, failure } = useWaitingDeletion();
  return html`
    <div class="live" role="status">
      ${waiting && html`<span class="unseen">${waiting.label} will be deleted in ${WAIT_S} seconds. The next control undoes it.</span>`}
    </div>
    ${waiting && html`<${Notice} key=${waiting.path.join("/")} waiting=${waiting} />`}
    ${failure &&
    html`
      <div class="card">
        <p>${failure.label} was not deleted.</p>
        <${ProblemMessage} problem=${failure.problem} />
        <div class="actions"><button onClick=${forgetFailure}>Close</button></div>
      </div>
    `}
  `;
}

function Notice({ waiting }) {
  useEffect(focusHeading, []); // the control that had the focus may be gone. From here, one Tab reaches the button
  function undoIt() {
    undo();
    focusHeading();
  }
  return html`
    <div class="deletion" onMouseEnter=${pause} onMouseLeave=${goOn} onfocusin=${pause} onfocusout=${goOn}>
      <p>${waiting.label} ${waiting.isPaused ? "waits to be deleted." : `is deleted in ${WAIT_S} seconds, or when you leave this page.`}</p>
      <button onClick=${undoIt}>Undo</button>
      ${!waiting.isPaused && html`<span class="deletion-clock" style=${{ animationDuration: `${waiting.leftMs}ms` }}></span>`}
    </div>
  `;
}

function focusHeading() {
  document.getElementById("title").focus({ preventScroll: true });
}
