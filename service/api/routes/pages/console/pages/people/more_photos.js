/** Enrol more photographs of one subject. It goes on while the user is on another page. */

import { beforeAnotherKey } from "../../access_key.js";
import { PhotoDrop, usePastedPhotos } from "../../components/photo_drop.js";
import { Job, useJob } from "../../state.js";
import { html } from "../../vendor/htm-preact.js";
import { enrolPhotos, reportResults } from "../shared/enrolling.js";
import { EnrolmentProgress } from "../shared/enrolment_progress.js";
import { partsOf } from "../shared/photo_requests.js";

const jobs = new Map(); // one for each subject

beforeAnotherKey(() => {
  for (const [subject, job] of jobs) if (!job.state.busy) jobs.delete(subject); // what runs goes on with the other key
});

/** id: of the subject. onEnrolled: called when the enrolment has ended. */
export function MorePhotos({ collection, id, onEnrolled }) {
  const job = jobOf(`${collection}/${id}`);
  const { busy } = useJob(job, onEnrolled);
  const start = (photos) => busy || photos.length === 0 || enrolMore(job, collection, id, photos);
  usePastedPhotos(start);
  return html`
    <section class="card" aria-label="More photographs">
      ${!busy && html`<${PhotoDrop} label="More photographs of this person" multiple onPhotos=${start} />`}
      <${EnrolmentProgress} job=${job} />
    </section>
  `;
}

function enrolMore(job, collection, id, photos) {
  return job.run({ total: photos.length, counts: {}, refused: [] }, async (signal) => {
    for (const part of partsOf(photos)) {
      reportResults(job, part, await enrolPhotos(collection, id, part, { signal, onWait: job.noteWait }));
    }
  });
}

function jobOf(subject) {
  if (!jobs.has(subject)) jobs.set(subject, new Job());
  return jobs.get(subject);
}
