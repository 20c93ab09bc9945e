/**
 * What of package-lock.json goes into the package, as npm-shrinkwrap.json: whoever installs it gets the versions that
 * are tried here, also of what its packages need in turn. Without addresses, as the lock: any registry will do, and
 * the digests say whether it sent the same.
 */

type Json = string | number | boolean | null | ReadonlyArray<Json> | { readonly [key: string]: Json }
type JsonObject = { readonly [key: string]: Json }

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const objectAt = (object: JsonObject, key: string): JsonObject => {
  const value = object[key]
  if (isObject(value)) return value
  throw new Error(`package-lock.json: expected an object at ${key}: has npm changed its format?`)
}

const without = (object: JsonObject, ...keys: ReadonlyArray<string>): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)))

/** `manifest` is that of the package, which has fewer keys than that of the checkout. */
export const shrinkwrapOf = (lock: JsonObject, manifest: JsonObject): JsonObject => {
  const packages = objectAt(lock, "packages")
  const kept = Object.keys(packages).flatMap((path): ReadonlyArray<readonly [string, JsonObject]> => {
    const entry = objectAt(packages, path)
    return path === "" || entry["dev"] === true ? [] : [[path, without(entry, "resolved")]]
  })
  return { ...lock, packages: { "": manifest, ...Object.fromEntries(kept) } }
}
