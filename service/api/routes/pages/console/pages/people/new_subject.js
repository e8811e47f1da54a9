/** Make a subject by its name. Its photographs come on its own page. */

import { call } from "../../api.js";
import { subjectIdOf } from "../../calculations/subject_id.js";
import { ProblemMessage } from "../../components/problem_message.js";
import { useTask } from "../../state.js";
import { html } from "../../vendor/htm-preact.js";

/** address: of the collection. onMade: called with the new subject. */
export function NewSubject({ collection, address, onMade }) {
  const making = useTask();
  function make(event) {
    event.preventDefault();
    const name = new FormData(event.target).get("name").trim();
    return making.run(async () => {
      const made = await call("POST", ["collections", collection, "subjects"], { json: { id: subjectIdOf(name), name } });
      onMade(made);
      location.hash = `${address}/${encodeURIComponent(made.id)}`;
    });
  }
  return html`
    <form class="card" onSubmit=${make} autocomplete="off">
      <h2>New subject</h2>
      <div class="form-row">
        <label class="field"><span>Name of the person</span><input name="name" required maxlength="256" /></label>
        <button disabled=${making.busy}>Make the subject</button>
      </div>
      <${ProblemMessage} problem=${making.problem} />
    </form>
  `;
}
