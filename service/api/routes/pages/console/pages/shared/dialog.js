/** A dialog with a title and a form. Escape and Cancel close it, and the focus goes back to where it was. */

import { ProblemMessage } from "../../components/problem_message.js";
import { html, useEffect, useRef } from "../../vendor/htm-preact.js";

/**
 * task: a `useTask` of the work that the dialog starts. onSubmit: called with the FormData. onClose: called when it is closed.
 * tone: `primary`, or `danger` for what cannot be undone. isReady: whether the form can be sent.
 */
export function Dialog({ title, action, tone = "primary", isReady = true, task, onSubmit, onClose, children }) {
  const dialog = useRef(null);
  const id = useRef(`dialog-${crypto.getRandomValues(new Uint32Array(1))[0]}`);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current.showModal();
    return () => setTimeout(() => giveBackFocus(before));
  }, []);
  function submit(event) {
    event.preventDefault();
    if (isReady && !task.busy) onSubmit(new FormData(event.target));
  }
  return html`
    <dialog ref=${dialog} aria-labelledby=${id.current} onCancel=${onClose}>
      <form onSubmit=${submit} autocomplete="off">
        <h2 id=${id.current}>${title}</h2>
        ${children}
        <${ProblemMessage} problem=${task.problem} />
        <div class="actions">
          <button class=${tone} disabled=${!isReady || task.busy}>${task.busy ? "Please wait …" : action}</button>
          <button type="button" onClick=${onClose}>Cancel</button>
        </div>
      </form>
    </dialog>
  `;
}

/** Focus the control that opened the dialog. If the work has removed it, focus the heading of the page. */
function giveBackFocus(control) {
  (control.isConnected ? control : document.getElementById("title")).focus({ preventScroll: true });
}
