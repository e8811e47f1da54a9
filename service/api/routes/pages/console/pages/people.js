/** The page People: collections, their subjects, and the faces of a subject. */

import { html, useEffect } from "../vendor/htm-preact.js";
import { Collection } from "./people/collection.js";
import { Collections } from "./people/collections.js";
import { sendNow } from "./people/waiting_deletion.js";
import { WaitingDeletion } from "./people/deletion_notice.js";

/** segments: the parts of the address after `#/people`: nothing, a collection, or a collection and a subject. */
export function PeoplePage({ segments }) {
  const [collection, subject] = segments;
  useEffect(() => () => sendNow(), []);
  useEffect(() => {
    const leave = () => sendNow({ keepalive: true });
    addEventListener("pagehide", leave);
    return () => removeEventListener("pagehide", leave);
  }, []);
  return html`
    <${WaitingDeletion} />
    ${collection === undefined
      ? html`<${Collections} />`
      : html`<${Collection} key=${collection} collection=${collection} subject=${subject} />`}
  `;
}
