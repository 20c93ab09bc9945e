/**
 * A certificate authority of the lab, made by openssl in a folder: whom nodes and clients of one cluster trust.
 *
 * Its certificates have been good for years. One that begins today is refused by a node whose date has jumped back.
 */
import { execFile } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { Effect, Schema } from "effect"
import type { LinkTls } from "#actors/platform/certificates.ts"

const run = promisify(execFile)

export class CertificateFailed extends Schema.TaggedError<CertificateFailed>()("CertificateFailed", {
  name: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `openssl has made no certificate for ${this.name}: ${this.reason}`
  }
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

const startDate = "20200101000000Z"

const configuration = `
[ca]
default_ca = lab
[lab]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
[authority]
basicConstraints = critical, CA:true
subjectKeyIdentifier = hash
`

const making = <A>(name: string, make: () => Promise<A>): Effect.Effect<A, CertificateFailed> =>
  Effect.tryPromise({
    try: make,
    catch: (cause) =>
      new CertificateFailed({ name, reason: cause instanceof Error ? cause.message : String(cause) })
  })

export interface Authority {
  /** Its own, as PEM text. */
  readonly ca: string
  /** For who has these names and addresses in the network. */
  readonly issue: (name: string, hosts: ReadonlyArray<string>) => Effect.Effect<LinkTls, CertificateFailed>
}

/** Its files stay in the folder. It issues one certificate at a time. */
export const authorityIn = (
  folder: string,
  openssl: string,
  goodForDays: number
): Effect.Effect<Authority, CertificateFailed> => {
  const execute = (...args: ReadonlyArray<string>) => run(openssl, args, { cwd: folder, timeout: 30_000 })
  const sign = (...args: ReadonlyArray<string>) =>
    execute(
      ...["ca", "-config", "ca.conf", "-batch", "-notext", "-keyfile", "ca.key"],
      ...["-startdate", startDate, "-days", String(goodForDays), ...args]
    )
  const read = (file: string) => readFileSync(join(folder, file), "utf8")
  const issue = (name: string, hosts: ReadonlyArray<string>) =>
    making(name, async () => {
      const names = ["DNS:localhost", "IP:127.0.0.1", ...hosts.map((host) => `IP:${host}`)]
      const [key, request, certificate] = [`${name}.key`, `${name}.csr`, `${name}.pem`]
      const wanted = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=${names.join()}`]
      await execute("req", "-new", ...newKey, ...wanted, "-keyout", key, "-out", request)
      await sign("-cert", "ca.pem", "-in", request, "-out", certificate)
      return { key: read(key), cert: read(certificate), ca: read("ca.pem") }
    })
  return making("the authority", async () => {
    writeFileSync(join(folder, "ca.conf"), configuration)
    writeFileSync(join(folder, "index.txt"), "")
    await execute("req", "-new", ...newKey, "-keyout", "ca.key", "-out", "ca.csr", "-subj", "/CN=lab")
    await sign("-selfsign", "-extensions", "authority", "-in", "ca.csr", "-out", "ca.pem")
    return { ca: read("ca.pem"), issue }
  })
}
