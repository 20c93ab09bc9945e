/**
 * Values with a checksum behind them, for engines that have none of their own: a value that was changed, or is
 * found under another key than it was put under, does not open.
 */
import { crc32c } from "../journal/crc32c.ts"

export const sealBytes = 4

const sealOf = (key: Uint8Array, value: Uint8Array, length: number): number =>
  crc32c(value, 0, length, crc32c(key))

/** Into an array that has room for it; returns where the next one may begin. */
export const seal = (key: Uint8Array, value: Uint8Array, target: Uint8Array, at: number): number => {
  target.set(value, at)
  const end = at + value.length
  const sum = sealOf(key, value, value.length)
  for (let byte = 0; byte < sealBytes; byte++) target[end + byte] = sum >>> (8 * byte)
  return end + sealBytes
}

/** A view of the value, or nothing if the seal is broken. */
export const unseal = (key: Uint8Array, sealed: Uint8Array): Uint8Array | undefined => {
  const length = sealed.length - sealBytes
  if (length < 0) return undefined
  const sum = sealOf(key, sealed, length)
  for (let byte = 0; byte < sealBytes; byte++)
    if (sealed[length + byte] !== ((sum >>> (8 * byte)) & 0xff)) return undefined
  return sealed.subarray(0, length)
}
