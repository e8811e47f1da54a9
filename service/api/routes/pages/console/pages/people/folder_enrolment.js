/** Enrol a folder of people: drop it, see what is in it, start. It goes on while the user is on another page. */

import { beforeAnotherKey } from "../../access_key.js";
import { PhotoDrop } from "../../components/photo_drop.js";
import { Job, useGiven, useJob } from "../../state.js";
import { html } from "../../vendor/htm-preact.js";
import { EnrolmentProgress } from "../shared/enrolment_progress.js";
import { enrolPeople } from "./enrol_people.js";
import { peopleOf } from "./people_folder.js";

const job = new Job();
const PEOPLE_NAMED = 5;

beforeAnotherKey(() => job.state.busy || job.clear()); // what runs goes on with the other key

/** onEnrolled: called when the enrolment has ended. */
export function FolderEnrolment({ collection, onEnrolled }) {
  const { busy, collection: itsCollection } = useJob(job, onEnrolled);
  const [folder, setFolder] = useGiven(`people.folder.${collection}`, null);

  function start(onSeveral) {
    setFolder(null);
    enrolPeople(job, collection, folder, onSeveral);
  }
  function choose(photos) {
    job.clear();
    setFolder(peopleOf(photos));
  }
  return html`
    <section class="card" aria-label="Enrol a folder">
      <h2>Enrol a folder</h2>
      ${folder === null && !busy && html`
        <p class="small">One folder with a subfolder for each person: <code>FOLDER/PERSON/PHOTOGRAPH.jpg</code>. The subfolder gives the name.</p>
        <${PhotoDrop} label="A folder of people" folder onPhotos=${choose} />
      `}
      ${folder !== null && !busy && html`<${Preview} ...${{ collection, folder, onStart: start, onCancel: () => setFolder(null) }} />`}
      <${EnrolmentProgress} job=${job} place=${` in ${itsCollection}`} />
    </section>
  `;
}

function Preview({ collection, folder, onStart, onCancel }) {
  const { people, leftOut } = folder;
  const photos = people.reduce((sum, person) => sum + person.photos.length, 0);
  const others = people.length - PEOPLE_NAMED;
  const names = people.slice(0, PEOPLE_NAMED).map(({ name }) => name).join(", ");
  function start(event) {
    event.preventDefault();
    onStart(new FormData(event.target).has("main") ? "main" : "refuse");
  }
  if (people.length === 0) {
    return html`
      <p class="notice">No photograph is in the folder of a person. Drop a folder that has a subfolder for each person.</p>
      <div class="actions"><button onClick=${onCancel}>Another folder</button></div>
    `;
  }
  return html`
    <form class="preview" onSubmit=${start}>
      <p role="status"><strong>${count(people.length, "person", "people")}, ${count(photos, "photograph", "photographs")}</strong></p>
      <p class="preview-names">${names}${others > 0 && ` and ${others.toLocaleString("en")} others`}</p>
      ${leftOut.length > 0 && html`<p class="small">${count(leftOut.length, "file is", "files are")} not in the folder of a person, or hidden.</p>`}
      <label class="check">
        <input type="checkbox" name="main" />
        <span>If a photograph shows several people, enrol its main face. Otherwise it is refused.</span>
      </label>
      <div class="actions">
        <button class="primary">Enrol in ${collection}</button>
        <button type="button" onClick=${onCancel}>Cancel</button>
      </div>
    </form>
  `;
}

function count(number, one, many) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}
