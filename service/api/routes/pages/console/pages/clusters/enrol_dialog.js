/** Give a group a name: it becomes a subject. Before it is sent, the dialog says which of its faces can be enrolled, and how. */

import { call } from "../../api.js";
import { ProblemMessage } from "../../components/problem_message.js";
import { ProgressBar } from "../../components/progress_bar.js";
import { useJob, useKept, useTask } from "../../state.js";
import { html, useEffect, useState } from "../../vendor/htm-preact.js";
import { CollectionField } from "../shared/collection_field.js";
import { Dialog } from "../shared/dialog.js";
import { enrolGroup, enrolmentJob } from "./group_enrolment.js";
import { titleOf } from "./grouping.js";

/**
 * model: of the embeddings of the faces. onEnrolled: called with what was enrolled. What runs goes on with another access key, or
 * while the user is on another page. Cancel ends it.
 */
export function EnrolDialog({ group, faces, model, onClose, onEnrolled }) {
  const [collection, setCollection] = useKept("collection", "default");
  const { isKnown, collectionModel, problem } = useCollectionModel(collection);
  const job = useJob(enrolmentJob, () => {
    if (!enrolmentJob.state.problem) onClose();
  });
  const itsFaces = group.members.map((face) => faces[face]);
  const sharing = itsFaces.filter(({ isAlone }) => !isAlone).length;
  const isOther = collectionModel !== null && collectionModel !== model.id;
  const isUseless = isOther && sharing === itsFaces.length;
  function send(fields) {
    const name = fields.get("name").trim();
    enrolGroup({ group, collection, collectionModel, name, faces: itsFaces, model, onEnrolled });
  }
  function close() {
    enrolmentJob.clear();
    onClose();
  }
  const title = `Name ${titleOf(group)}`;
  if (job.busy) {
    return html`<${Dialog} title=${title} action="Enrol" task=${job} onClose=${close}><${Progress} ...${job} /><//>`;
  }
  return html`
    <${Dialog} title=${title} action="Enrol" isReady=${isKnown && !isUseless} task=${job} onSubmit=${send} onClose=${close}>
      <p class="small">
        ${itsFaces.length === 1 ? "The face" : `The ${itsFaces.length} faces`} can be enrolled for this person. If the collection
        has a subject of this name, the subject gets ${itsFaces.length === 1 ? "it" : "them"}.
      </p>
      <label class="field"><span>Name of the person</span><input name="name" required maxlength="256" defaultValue=${job.name ?? group.enrolment?.name ?? ""} /></label>
      <${CollectionField} value=${collection} onChange=${setCollection} />
      <${ProblemMessage} problem=${problem} />
      <div class="live" role="status">
        ${isOther && sharing > 0 && html`<${OtherModel} sharing=${sharing} alone=${itsFaces.length - sharing} />`}
        ${isKnown && !isOther && sharing > 0 && html`<${WithoutPicture} sharing=${sharing} />`}
      </div>
    <//>
  `;
}

function Progress({ name, collection, done, total, note }) {
  return html`
    <p>The faces are enrolled for ${name} in ${collection}.</p>
    <${ProgressBar} done=${done} total=${total} label="faces" note=${note} />
  `;
}

function OtherModel({ sharing, alone }) {
  const [how, these] =
    alone === 0
      ? ["So the faces of this group cannot be enrolled in it", "each of them shares its photograph with other faces"]
      : [`So only ${count(alone, "is", "are")} enrolled, from the photograph${alone === 1 ? "" : "s"}`, `${count(sharing, "shares its", "share their")} photograph with other faces`];
  return html`
    <div class="notice">
      <p><strong>This collection has another model than the one that grouped the faces.</strong> ${how}: ${these}.</p>
      <p>Choose a collection of the same model or an empty one. Or enrol photographs that show only this person, on the page People.</p>
    </div>
  `;
}

function WithoutPicture({ sharing }) {
  return html`
    <p class="notice">
      ${count(sharing, "shares its photograph", "share their photographs")} with other faces. Of ${sharing === 1 ? "it" : "them"}, only
      the embedding is enrolled: there is no quality score, and no picture is kept, even if this service keeps pictures. To keep
      pictures, enrol photographs that show only this person, on the page People.
    </p>
  `;
}

/**
 * Return `{ isKnown, collectionModel, problem }`. collectionModel: the id of the model of the collection. It is null if the
 * collection has no face yet, or if the key may not read the collection: the service then refuses what does not fit.
 */
function useCollectionModel(collection) {
  const [found, setFound] = useState(null);
  const reading = useTask();
  useEffect(() => {
    reading.run(async (signal) => setFound(await call("GET", ["collections", collection], { signal })));
  }, [collection]);
  const isForbidden = reading.problem?.code === "scope_missing";
  const isRead = found?.id === collection;
  return {
    isKnown: isRead || isForbidden,
    collectionModel: isRead ? found.model : null,
    problem: isForbidden ? null : reading.problem,
  };
}

function count(faces, one, many) {
  return faces === 1 ? `1 face ${one}` : `${faces} faces ${many}`;
}
