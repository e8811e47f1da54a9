/** Find the faces of photographs: their embeddings from the service, their small pictures from the files. */

import { callPatiently, Problem } from "../../api.js";
import { inParallel, nameless, partsOf, sendOrSplit } from "../shared/photo_requests.js";
import { drawFaces } from "./face_drawing.js";

/**
 * job: a `Job` that shows the progress. photos: `[{ file, path }]`.
 * Returns `{ faces, model }`. faces: `[{ photo, box, landmarks, embedding, picture, isAlone }]`, in the order of the photographs.
 * embedding: a Float32Array. picture: a Blob, or null if the browser cannot read the file. isAlone: no other face is in its photograph.
 */
export async function findFaces(job, photos, signal) {
  const facesOf = new Map();
  let model = null;
  async function embed(some) {
    const form = { images: some.map(nameless) };
    const answer = await callPatiently("POST", "embed", { query: { include: "embedding" }, form, signal, onWait: job.noteWait });
    if (model !== null && model.id !== answer.model.id) throw modelChanged();
    model = answer.model;
    return answer.images;
  }
  await inParallel([...partsOf(photos)], async (part) => {
    const images = await sendOrSplit(part, embed, (problem) => ({ problem }));
    const refused = [];
    for (const [place, photo] of part.entries()) {
      const { faces, problem } = images[place];
      const { code, detail } = problem ?? { code: "no_face", detail: "No face was found." };
      if (problem || faces.length === 0) refused.push({ path: photo.path, code, detail, face: null });
      else facesOf.set(photo, await facesWithPictures(photo, faces));
    }
    job.report((state) => ({ done: state.done + part.length, refused: [...state.refused, ...refused], note: "" }));
  });
  return { faces: photos.flatMap((photo) => facesOf.get(photo) ?? []), model };
}

async function facesWithPictures(photo, faces) {
  const pictures = await drawFaces(photo.file, faces.map(({ box }) => box));
  return faces.map(({ box, landmarks, embedding }, place) => ({
    photo,
    box,
    landmarks,
    embedding: Float32Array.from(embedding),
    picture: pictures[place],
    isAlone: faces.length === 1,
  }));
}

function modelChanged() {
  return new Problem({ status: 0, code: "model_changed", detail: "The service has another model now. Begin again." });
}
