/** How texts are compared in a search: small letters without accents, so "zoe" finds "Zoë". */

export function fold(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
