/** How a face is cut out: the same as `service/pipeline/alignment.py`. */

export const CROP_PX = 112;

/** The places of the five landmarks in a crop of 112 x 112 pixels (ArcFace, Deng et al., 2019). */
const TEMPLATE = [
  [38.2946, 51.6963],
  [73.5318, 51.5014],
  [56.0252, 71.7366],
  [41.5493, 92.3655],
  [70.7299, 92.2041],
];

/**
 * Find the rotation, scale and shift that bring five points nearest to the template, in least squares (Umeyama, 1991).
 * Returns [a, b, c, d, e, f], as `setTransform` of a canvas takes them: x' = a x + c y + e, y' = b x + d y + f.
 */
export function similarityToTemplate(points) {
  const from = mean(points);
  const to = mean(TEMPLATE);
  let spread = 0;
  let real = 0;
  let imaginary = 0;
  points.forEach(([x, y], position) => {
    const [px, py] = [x - from[0], y - from[1]];
    const [tx, ty] = [TEMPLATE[position][0] - to[0], TEMPLATE[position][1] - to[1]];
    spread += px * px + py * py;
    real += px * tx + py * ty;
    imaginary += px * ty - py * tx;
  });
  const a = spread ? real / spread : 0;
  const b = spread ? imaginary / spread : 0;
  return [a, b, -b, a, to[0] - a * from[0] + b * from[1], to[1] - b * from[0] - a * from[1]];
}

function mean(points) {
  const sums = points.reduce(([sx, sy], [x, y]) => [sx + x, sy + y], [0, 0]);
  return sums.map((sum) => sum / points.length);
}
