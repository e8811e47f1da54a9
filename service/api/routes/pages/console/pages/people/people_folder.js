/** Which person each photograph of a dropped folder shows: FOLDER/PERSON/PHOTOGRAPH, as for `facenet enrol`. */

/**
 * photos: `[{ file, path }]`. Returns `{ people: [{ name, photos }], leftOut: [{ path, code, detail }] }`.
 * If the folders of the people themselves were dropped, the first folder is the person.
 */
export function peopleOf(photos) {
  const depths = photos.map(({ path }) => path.split("/").length);
  const place = Math.max(0, ...depths) > 2 ? 1 : 0;
  const people = new Map();
  const leftOut = [];
  for (const photo of photos) {
    const names = photo.path.split("/");
    if (names.slice(place).some((name) => name.startsWith("."))) leftOut.push(notSent(photo, "hidden"));
    else if (names.length < place + 2) leftOut.push(notSent(photo, "no_person"));
    else people.set(names[place], [...(people.get(names[place]) ?? []), photo]);
  }
  return { people: [...people].map(([name, itsPhotos]) => ({ name, photos: itsPhotos })), leftOut };
}

const REASONS = {
  hidden: "The name starts with a dot. Rename it if it should be enrolled.",
  no_person: "The file is beside the folders of the people. Move it into the folder of a person.",
};

function notSent({ path }, code) {
  return { path, code, detail: REASONS[code], face: null };
}
