/** The frame around the pages: navigation, the access key, and which page the address shows. */

import { accessKey, askForAccessKey, keyNumber, onAccessKeyChange } from "./access_key.js";
import { addressOf } from "./api.js";
import { KeyDialog } from "./components/key_dialog.js";
import { ProblemMessage } from "./components/problem_message.js";
import { ClustersPage } from "./pages/clusters.js";
import { ComparePage } from "./pages/compare.js";
import { IdentifyPage } from "./pages/identify.js";
import { PeoplePage } from "./pages/people.js";
import { ServicePage } from "./pages/service.js";
import { html, render, useEffect, useErrorBoundary, useRef, useState } from "./vendor/htm-preact.js";

const PAGES = [
  { path: "compare", title: "Compare", lead: "Do two photographs show the same person?", Page: ComparePage },
  { path: "identify", title: "Identify", lead: "Who is in this photograph?", Page: IdentifyPage },
  { path: "people", title: "People", lead: "Who is enrolled, and with which faces.", Page: PeoplePage },
  { path: "clusters", title: "Clusters", lead: "Which photographs show the same person?", Page: ClustersPage },
  { path: "service", title: "Service", lead: "What the service does now, and how it decides.", Page: ServicePage },
];

/** Return the segments of the address after `#/`. `#/people/staff/ada` is ["people", "staff", "ada"]. */
function segmentsOfAddress() {
  try {
    return location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return []; // the address was written by hand
  }
}

function useSegments() {
  const [segments, setSegments] = useState(segmentsOfAddress());
  useEffect(() => {
    const update = () => setSegments(segmentsOfAddress());
    addEventListener("hashchange", update);
    return () => removeEventListener("hashchange", update);
  }, []);
  return segments;
}

/** Return the number of the access key. With another one, the page begins again: what it shows was read with the key before. */
function useKeyNumber() {
  const [number, setNumber] = useState(keyNumber());
  useEffect(() => onAccessKeyChange(() => setNumber(keyNumber())), []);
  return number;
}

function App() {
  const [path, ...rest] = useSegments();
  const key = useKeyNumber();
  const page = PAGES.find((one) => one.path === path) ?? PAGES[0];
  const heading = useRef(null);
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${page.title} · FaceNet console`;
    if (!isFirst.current) heading.current.focus();
    isFirst.current = false;
  }, [page]);
  return html`
    <a class="skip" href="#title" onClick=${(event) => focusHeading(event, heading)}>Skip to the page</a>
    <${Header} current=${page} />
    <main>
      <div class="page-head">
        <h1 id="title" tabindex="-1" ref=${heading}>${page.title}</h1>
        <p class="lead">${page.lead}</p>
      </div>
      <${Guarded} key=${`${page.path} ${key}`}><${page.Page} segments=${rest} /><//>
    </main>
    <${KeyDialog} />
  `;
}

function focusHeading(event, heading) {
  event.preventDefault();
  heading.current.focus();
}

function Header({ current }) {
  return html`
    <header class="bar">
      <a class="brand" href="#/compare"><img src="console/icon.svg" alt="" width="28" height="28" /> FaceNet</a>
      <nav aria-label="Pages">
        ${PAGES.map(
          ({ path, title }) =>
            html`<a href="#/${path}" aria-current=${path === current.path ? "page" : undefined}>${title}</a>`,
        )}
      </nav>
      <div class="bar-end">
        <a href=${addressOf("docs")}>API</a>
        <${KeyButton} />
      </div>
    </header>
  `;
}

function KeyButton() {
  const [hasKey, setHasKey] = useState(accessKey() !== null);
  useEffect(() => onAccessKeyChange(() => setHasKey(accessKey() !== null)), []);
  return html`
    <button class="quiet" onClick=${() => askForAccessKey("chosen")}>
      ${hasKey ? "Key in use" : "Access key"}
    </button>
  `;
}

/** Show a message in place of a page that has a bug. The other pages still work. */
function Guarded({ children }) {
  const [error] = useErrorBoundary();
  return error ? html`<${ProblemMessage} problem=${error} />` : children;
}

/** A photograph that is dropped beside its place must not replace the page. */
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());

render(html`<${App} />`, document.getElementById("app"));
