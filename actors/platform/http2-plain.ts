/**
 * The reply to a plain request that came over HTTP/2: what the port promises, said with a stream.
 */
import type { Metadata, PlainReply } from "#actors/kernel/ports/grpc.ts"
import type { Http2Stream } from "./http2-stream.ts"

export const plainReplyOf = (stream: Http2Stream): PlainReply => ({
  respond: (status: number, headers: Metadata, body: Uint8Array) => {
    stream.beginPlain(status, [...headers, "content-length", String(body.length)])
    if (body.length > 0) stream.sendPlain(body)
    stream.endPlain()
  },
  begin: (status: number, headers: Metadata) => stream.beginPlain(status, headers),
  send: (bytes: Uint8Array) => stream.sendPlain(bytes),
  end: () => stream.endPlain(),
  get onDrain() {
    return stream.onDrain
  },
  set onDrain(callback: (() => void) | undefined) {
    stream.onDrain = callback
  },
  get onCancel() {
    return stream.onCancel
  },
  set onCancel(callback: (() => void) | undefined) {
    stream.onCancel = callback
  }
})
