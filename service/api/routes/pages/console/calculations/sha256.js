/** SHA-256 (FIPS 180-4). The browser's own, `crypto.subtle`, is missing if the page came over HTTP from another machine. */

const ROUNDS = 64;

/** The first 32 bits of the fractional part of a root of each of the first 64 primes. */
const [STARTS, CONSTANTS] = [1 / 2, 1 / 3].map((power) => firstPrimes(ROUNDS).map((prime) => fractionBits(prime ** power)));

/** bytes: a Uint8Array. Returns 64 hexadecimal digits. */
export function sha256Hex(bytes) {
  let hash = STARTS.slice(0, 8);
  const words = paddedWords(bytes);
  for (let start = 0; start < words.length; start += 16) hash = mixBlock(hash, words.slice(start, start + 16));
  return hash.map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

function mixBlock(hash, words) {
  let [a, b, c, d, e, f, g, h] = hash;
  for (let i = 0; i < ROUNDS; i += 1) {
    if (i >= 16) words.push(nextWord(words, i));
    const choice = (e & f) ^ (~e & g);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const first = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + choice + CONSTANTS[i] + words[i]) | 0;
    const second = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + majority) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  return [a, b, c, d, e, f, g, h].map((word, i) => (word + hash[i]) | 0);
}

function nextWord(words, i) {
  const [early, late] = [words[i - 15], words[i - 2]];
  const small = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3);
  const large = turn(late, 17) ^ turn(late, 19) ^ (late >>> 10);
  return (words[i - 16] + small + words[i - 7] + large) | 0;
}

/** Return the bytes as 32-bit words, with a one, zeros, and the number of bits at the end of the last block. */
function paddedWords(bytes) {
  const view = new DataView(new ArrayBuffer(Math.ceil((bytes.length + 9) / 64) * 64));
  bytes.forEach((byte, position) => view.setUint8(position, byte));
  view.setUint8(bytes.length, 0x80);
  view.setUint32(view.byteLength - 4, bytes.length * 8);
  return Array.from({ length: view.byteLength / 4 }, (_, word) => view.getInt32(4 * word));
}

function turn(word, bits) {
  return (word >>> bits) | (word << (32 - bits));
}

function fractionBits(root) {
  return Math.floor((root % 1) * 2 ** 32) | 0;
}

function firstPrimes(count) {
  const primes = [];
  for (let n = 2; primes.length < count; n += 1) if (primes.every((prime) => n % prime)) primes.push(n);
  return primes;
}
