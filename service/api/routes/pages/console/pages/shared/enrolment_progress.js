/** How far an enrolment is, and what has come of it. */

import { ProblemMessage } from "../../components/problem_message.js";
import { ProgressBar } from "../../components/progress_bar.js";
import { useJob } from "../../state.js";
import { html } from "../../vendor/htm-preact.js";
import { describeCounts } from "./enrolling.js";
import { RefusedTable } from "./refused_table.js";

/** job: a `Job` whose work calls `reportResults`. place: where the photographs are enrolled, such as " in staff". */
export function EnrolmentProgress({ job, place = "" }) {
  const { busy, counts, refused = [], done, total, note, problem, isCancelled } = useJob(job);
  return html`
    ${busy && html`
      <${ProgressBar} done=${done} total=${total} label="photographs" note=${note} />
      <div class="actions"><button onClick=${() => (job.cancel(), job.report({ isCancelled: true }))}>Stop</button></div>
    `}
    <p class="live" role="status">${!busy && counts && `${isCancelled ? "Stopped. " : ""}${describeCounts(counts)}${place}.`}</p>
    <${ProblemMessage} problem=${problem} />
    ${!busy && html`<${RefusedTable} title="Not enrolled" rows=${refused} />`}
  `;
}
