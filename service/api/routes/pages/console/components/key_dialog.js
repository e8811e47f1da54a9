/** The dialog for the access key. It opens when the service wants a key, or when the user does. */

import {
  accessKey,
  cancelAccessKey,
  forgetAccessKey,
  onAccessKeyChange,
  openQuestion,
  setAccessKey,
} from "../access_key.js";
import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";

const REASONS = {
  key_missing: "This service asks for an access key. Its operator makes one for you.",
  key_invalid: "The service does not know this key. It may have been revoked, or it has expired.",
  chosen: "Calls of this page are sent with this key. What it allows depends on its scopes.",
};

export function KeyDialog() {
  const [reason, setReason] = useState(openQuestion());
  const dialog = useRef(null);
  useEffect(() => onAccessKeyChange(() => setReason(openQuestion())), []);
  useEffect(() => {
    if (reason) dialog.current.showModal();
    else dialog.current.close();
  }, [reason]);

  function submit(event) {
    event.preventDefault();
    const fields = new FormData(event.target);
    const key = fields.get("key").trim();
    event.target.reset();
    if (key) setAccessKey(key, { remember: fields.has("remember") });
  }

  return html`
    <dialog ref=${dialog} aria-labelledby="key-title" onCancel=${cancelAccessKey}>
      <form onSubmit=${submit} autocomplete="off">
        <h2 id="key-title">Access key</h2>
        <p>${REASONS[reason] ?? REASONS.chosen}</p>
        <label class="field">
          <span>Key</span>
          <input type="password" name="key" required spellcheck="false" autocomplete="off" placeholder="facenet_…" />
        </label>
        <label class="check">
          <input type="checkbox" name="remember" />
          <span>Keep it until this tab is closed. Otherwise a reload forgets it.</span>
        </label>
        <div class="actions">
          <button class="primary">Use this key</button>
          <button type="button" onClick=${cancelAccessKey}>Cancel</button>
          ${accessKey() !== null && html`<button type="button" class="quiet" onClick=${forgetAccessKey}>Forget the key</button>`}
        </div>
      </form>
    </dialog>
  `;
}
