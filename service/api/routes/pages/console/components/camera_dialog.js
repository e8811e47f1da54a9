/** Take a photograph with the camera of this device. The picture goes nowhere until it is used. */

import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";

/** Return whether the browser offers a camera. It does so over HTTPS and on localhost only. */
export function hasCamera() {
  return Boolean(navigator.mediaDevices?.getUserMedia);
}

/** onPhoto: called with a JPEG file. onClose: called when the dialog is done. */
export function CameraDialog({ onPhoto, onClose }) {
  const dialog = useRef(null);
  const video = useRef(null);
  const [refusal, setRefusal] = useState("");
  const [hasPicture, setHasPicture] = useState(false);
  useEffect(() => {
    dialog.current.showModal();
    return openCamera(video.current, setRefusal);
  }, []);

  async function take() {
    onPhoto(await stillOf(video.current));
    onClose();
  }

  return html`
    <dialog ref=${dialog} aria-label="Camera" class="camera" onCancel=${onClose}>
      ${refusal && html`<p class="problem" role="alert">${refusal}</p>`}
      <video ref=${video} autoplay playsinline muted onLoadedData=${() => setHasPicture(true)}></video>
      <div class="actions">
        <button class="primary" onClick=${take} disabled=${!hasPicture}>Take the photograph</button>
        <button onClick=${onClose}>Cancel</button>
      </div>
    </dialog>
  `;
}

/** Show the camera in the video. Returns a function that turns it off. */
function openCamera(video, onRefusal) {
  let stream = null;
  let isClosed = false;
  const wanted = { audio: false, video: { facingMode: "user", width: { ideal: 1280 } } };
  navigator.mediaDevices.getUserMedia(wanted).then(
    (opened) => {
      stream = opened;
      if (isClosed) stop(stream);
      else video.srcObject = stream;
    },
    () => onRefusal("The browser gives no camera to this page. Allow it in the address bar, or choose a file."),
  );
  return () => {
    isClosed = true;
    stop(stream);
  };
}

function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

async function stillOf(video) {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
  return new File([blob], "camera.jpg", { type: "image/jpeg" });
}
