/** One collection: its subjects, and beside them the chosen subject or an enrolment. */

import { ProblemMessage } from "../../components/problem_message.js";
import { html } from "../../vendor/htm-preact.js";
import { FolderEnrolment } from "./folder_enrolment.js";
import { NewSubject } from "./new_subject.js";
import { SubjectDetails } from "./subject_details.js";
import { SubjectList } from "./subject_list.js";
import { useSubjects } from "./subjects_store.js";
import { isDeleted, useWaitingDeletion } from "./waiting_deletion.js";

/** subject: the id of the chosen subject, or undefined. */
export function Collection({ collection, subject }) {
  const subjects = useSubjects(collection);
  useWaitingDeletion();
  const shown = subjects.items.filter(({ id }) => !isDeleted(["collections", collection, "subjects", id]));
  const address = `#/people/${encodeURIComponent(collection)}`;
  return html`
    <nav class="path" aria-label="Path">
      <a href="#/people">Collections</a>
      ${" / "}${subject === undefined ? html`<span aria-current="page">${collection}</span>` : html`<a href=${address}>${collection}</a>`}
    </nav>
    <${ProblemMessage} problem=${subjects.problem} onRetry=${subjects.load} />
    <div class="people" data-chosen=${subject !== undefined}>
      <${SubjectList} ...${{ address, items: shown, isComplete: subjects.isComplete, isLoading: !subjects.problem, chosen: subject }} />
      <div class="people-side">
        ${subject === undefined
          ? html`
              <${FolderEnrolment} collection=${collection} onEnrolled=${subjects.load} />
              <${NewSubject} ...${{ collection, address, onMade: subjects.put }} />
            `
          : html`<${SubjectDetails} key=${subject} ...${{ collection, address, id: subject, subjects: { ...subjects, items: shown } }} />`}
      </div>
    </div>
  `;
}
