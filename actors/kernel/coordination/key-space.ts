/** Names as keys: their bytes, and the range of all that begin with a prefix. */

const encoder = new TextEncoder()

export const keyOf = (name: string): Uint8Array => encoder.encode(name)

/** Everything that begins with the prefix, as key and end. */
export const beginningWith = (prefix: string): { readonly key: Uint8Array; readonly end: Uint8Array } => {
  const key = keyOf(prefix)
  let last = key.length - 1
  while (last >= 0 && key[last] === 255) last--
  if (last < 0) return { key: key.length === 0 ? Uint8Array.of(0) : key, end: Uint8Array.of(0) }
  const end = key.slice(0, last + 1)
  end[last] = (end[last] ?? 0) + 1
  return { key, end }
}
