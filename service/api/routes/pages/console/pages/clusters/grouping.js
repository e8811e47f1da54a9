/**
 * Which faces are one person: `{ labels, groups, model, threshold, before }`. labels: the id of the group of each face, or NOBODY.
 * groups: `[{ id, enrolment }]`, in the order in which they are shown. before: the grouping before the last change, or null.
 * No function changes its arguments.
 */

export const NOBODY = -1; // of a face to which no other is similar

/** Return the grouping of an answer of POST /cluster. The largest groups come first. A single face is in no group. */
export function groupsOf({ faces, clusters, threshold }, model) {
  const several = clusters.filter(({ label, size }) => label !== NOBODY && size > 1).sort((one, other) => other.size - one.size);
  const ids = new Set(several.map(({ label }) => label));
  const labels = faces.map(({ label }) => (ids.has(label) ? label : NOBODY));
  return { labels, groups: [...ids].map((id) => ({ id, enrolment: null })), model, threshold, before: null };
}

/** Return the groups that have faces, each with `members`, and the others as `nobody`: positions of faces. */
export function membersOf({ labels, groups }) {
  const members = new Map(groups.map(({ id }) => [id, []]));
  const nobody = [];
  labels.forEach((label, face) => (members.get(label) ?? nobody).push(face));
  const withFaces = groups.map((group, place) => ({ ...group, number: place + 1, members: members.get(group.id) }));
  return { groups: withFaces.filter((group) => group.members.length > 0), nobody };
}

/** Put faces into a group, or into none (NOBODY). */
export function moveFaces(grouping, faces, id) {
  const labels = [...grouping.labels];
  for (const face of faces) labels[face] = id;
  return { ...grouping, labels, before: grouping };
}

/** Put faces into a new group, which is shown last. */
export function makeGroup(grouping, faces) {
  const id = Math.max(NOBODY, ...grouping.groups.map((group) => group.id)) + 1;
  const groups = [...grouping.groups, { id, enrolment: null }];
  return { ...moveFaces({ ...grouping, groups }, faces, id), before: grouping };
}

/** Put all faces of a group into another one. */
export function mergeGroups(grouping, from, into) {
  const labels = grouping.labels.map((label) => (label === from ? into : label));
  return { ...grouping, labels, before: grouping };
}

/** Note that a group is enrolled. enrolment: `{ collection, subject, name, counts, refused }`. It cannot be undone here. */
export function noteEnrolment(grouping, id, enrolment) {
  const groups = grouping.groups.map((group) => (group.id === id ? { ...group, enrolment } : group));
  return { ...grouping, groups, before: null };
}

/** Return the photographs of which several faces are in the group, though a photograph usually shows a person once. */
export function repeatedPhotos(faces, members) {
  const seen = new Set();
  return new Set(members.map((face) => faces[face].photo).filter((photo) => seen.has(photo) || !seen.add(photo)));
}

/** Return what a group is called. */
export function titleOf({ number, enrolment }) {
  return enrolment?.name ?? `Group ${number}`;
}
