/** Send the photographs of people to the service, several requests at a time. */

import { enrolPhotos, ensureSubject, reportResults } from "../shared/enrolling.js";
import { inParallel, partsOf } from "../shared/photo_requests.js";

const WITHOUT_FACE = "No photograph of this person is enrolled.";

/** job: a `Job` that shows the progress. folder: as `peopleOf` returns it. onSeveral: `refuse` or `main`. */
export function enrolPeople(job, collection, folder, onSeveral) {
  const parts = folder.people.flatMap((person) => [...partsOf(person.photos)].map((photos) => ({ person, photos })));
  const total = folder.people.reduce((sum, person) => sum + person.photos.length, 0);
  const withFace = new Set();
  return job.run({ total, collection, counts: {}, refused: folder.leftOut }, async (signal) => {
    const made = new Map(); // the subject of each person, as a promise: parts of one person are sent at the same time
    const subjectOf = ({ name }) => made.get(name) ?? made.set(name, ensureSubject(collection, name, signal)).get(name);
    await inParallel(parts, async ({ person, photos }) => {
      const subject = await subjectOf(person);
      const options = { query: { on_several: onSeveral }, signal, onWait: job.noteWait };
      const results = await enrolPhotos(collection, subject, photos, options);
      if (results.some(({ status }) => status !== "refused")) withFace.add(person);
      reportResults(job, photos, results);
    });
    const without = folder.people.filter((person) => !withFace.has(person));
    const rows = without.map(({ name }) => ({ path: name, code: "person_without_face", detail: WITHOUT_FACE, face: null }));
    job.report((state) => ({ refused: [...state.refused, ...rows] }));
  });
}
