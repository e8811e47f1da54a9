/**
 * Enrol the faces of a group for one subject. If a photograph shows only this face, the photograph is sent: the service measures
 * its quality, and knows it again. Otherwise the embedding is sent, because it is that of the right face. A collection of another
 * model cannot take it: such a face is refused here, before the service refuses each of them.
 */

import { beforeAnotherKey } from "../../access_key.js";
import { Job } from "../../state.js";
import { enrolEmbeddings, enrolPhotos, ensureSubject, reportResults } from "../shared/enrolling.js";
import { partsOf } from "../shared/photo_requests.js";

const EMBEDDINGS_PER_REQUEST = 32;

const OTHER_MODEL = {
  status: "refused",
  code: "model_mismatch",
  detail: "The photograph shows other faces too, and the collection has another model. Enrol a photograph of this person alone.",
  face: null,
};

/** The enrolment of a group: its state has `group`, `collection` and `name` too. Only one runs: its dialog hides the others. */
export const enrolmentJob = new Job();

beforeAnotherKey(() => enrolmentJob.state.busy || enrolmentJob.clear()); // what runs goes on with the other key

/**
 * faces: of the group, as `findFaces` returns them. collectionModel: the id of the model of the collection, or null.
 * onEnrolled: called with `{ collection, subject, name, counts, refused }`.
 */
export function enrolGroup({ group, collection, collectionModel, name, faces, model, onEnrolled }) {
  const initial = { total: faces.length, group, collection, name, counts: {}, refused: [] };
  return enrolmentJob.run(initial, async (signal) => {
    const subject = await ensureSubject(collection, name, signal);
    const options = { signal, onWait: enrolmentJob.noteWait };
    const alone = faces.filter((face) => face.isAlone).map(({ photo }) => photo);
    for (const photos of partsOf(alone)) reportResults(enrolmentJob, photos, await enrolPhotos(collection, subject, photos, options));
    const others = faces.filter((face) => !face.isAlone);
    const isOther = collectionModel !== null && collectionModel !== model.id;
    await enrolByEmbedding({ collection, subject, faces: others, model, isOther, options });
    const { counts, refused } = enrolmentJob.state;
    onEnrolled({ collection, subject, name, counts, refused });
  });
}

/** isOther: whether the collection has another model. */
async function enrolByEmbedding({ collection, subject, faces, model, isOther, options }) {
  for (let start = 0; start < faces.length; start += EMBEDDINGS_PER_REQUEST) {
    const some = faces.slice(start, start + EMBEDDINGS_PER_REQUEST);
    const images = some.map(({ embedding }) => ({ embedding: [...embedding], model: model.id }));
    const results = isOther ? some.map(() => OTHER_MODEL) : await enrolEmbeddings(collection, subject, images, options);
    reportResults(enrolmentJob, some.map(({ photo }) => photo), results);
  }
}
