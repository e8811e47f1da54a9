/** Two drawn faces for those who have no photograph at hand: the example of /verify in the description of the API. */

import { call } from "../../api.js";

/** Return the two files. */
export async function exampleFiles(signal) {
  const description = await call("GET", "openapi.json", { signal });
  const { examples } = description.paths["/verify"].post.requestBody.content["application/json"];
  const { image_a: first, image_b: second } = Object.values(examples)[0].value;
  return [fileOf(first.base64, "drawn-a.jpg"), fileOf(second.base64, "drawn-b.jpg")];
}

function fileOf(base64, name) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return new File([bytes], name, { type: "image/jpeg" });
}
