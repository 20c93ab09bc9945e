/**
 * Certificates: who somebody is under mutual TLS. The cluster has a certificate authority of its own, and
 * whoever has a certificate from it is the node or service that the certificate's common name names.
 *
 *   presented and signed by our authority   SYSTEM::<common name>, may do everything
 *   presented, but not that                 refused
 *   not presented                           a token may say who it is
 *
 * Such a certificate opens the entrance for nodes, behind which everything is allowed. So nothing would be
 * gained by letting it do less at the other entrances.
 */
import { type PeerCertificate, TLSSocket } from "node:tls"
import { Either, Schema } from "effect"
import { Identity } from "#protocols/links.ts"

/** As PEM texts. */
export interface LinkTls {
  readonly key: string
  readonly cert: string
  /** Who signs the certificates of this cluster. */
  readonly ca: string
}

/** Nodes, and services that hold a certificate. */
export const systemIdentity = (name: string): Identity => ({
  actorId: `SYSTEM::${name}`,
  grants: [{ permission: "admin", prefix: "/" }]
})

/** Of whoever connected to us: undefined without a certificate, left when it is not good. */
export const presentedIdentity = (socket: unknown): Either.Either<Identity | undefined, string> => {
  if (!(socket instanceof TLSSocket)) return Either.right(undefined)
  const certificate = socket.getPeerCertificate()
  // Without one this is an empty object, and what is resumed may count as authorized all the same.
  if (certificate === null || Object.keys(certificate).length === 0) return Either.right(undefined)
  if (!socket.authorized) {
    return Either.left(`its certificate is not good: ${firstWord(socket.authorizationError)}`)
  }
  return Either.map(identityOf(certificate), (identity): Identity | undefined => identity)
}

export const identityOf = (certificate: PeerCertificate): Either.Either<Identity, string> => {
  const name: unknown = certificate.subject?.CN
  return typeof name !== "string"
    ? Either.left("its certificate has no common name")
    : Either.mapLeft(decodeIdentity(systemIdentity(name)), () => "its certificate's common name is too long")
}

const decodeIdentity = Schema.decodeUnknownEither(Identity)

const firstWord = (problem: unknown): string => String(problem).split(/[\n:]/, 1).join("")
