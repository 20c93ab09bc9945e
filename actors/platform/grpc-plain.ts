/**
 * Plain requests over HTTP/1.1, on the port of gRPC: node:http reads them, and what comes of it looks like
 * a plain request over HTTP/2 to whoever serves it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { GrpcPeer, Metadata } from "#actors/kernel/ports/grpc.ts"
import type { Http2Host } from "./http2-connection.ts"

/** It never listens: whoever does hands it sockets, by `emit("connection", socket)`. */
export const plainServer = (host: Http2Host, peerOf: (socket: object) => GrpcPeer): Server => {
  const { handshakeMillisMax, headerBytesMax, streamsPerConnectionMax } = host.limits
  const server = createServer({
    headersTimeout: handshakeMillisMax,
    requestTimeout: 3 * handshakeMillisMax,
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: headerBytesMax
  })
  server.maxRequestsPerSocket = 100 * streamsPerConnectionMax
  server.on("request", (request, response) => take(host, peerOf(request.socket), request, response))
  // That is when it begins to look after its timeouts.
  server.emit("listening")
  return server
}

const take = (host: Http2Host, peer: GrpcPeer, request: IncomingMessage, response: ServerResponse): void => {
  const pieces: Array<Buffer> = []
  let length = 0
  response.on("error", () => response.destroy())
  request.on("error", () => response.destroy())
  request.on("data", (piece: Buffer) => {
    length += piece.length
    if (length <= host.limits.plainBytesMax) pieces.push(piece)
    else if (!response.headersSent) response.writeHead(413, { connection: "close" }).end()
  })
  request.on("end", () => {
    if (response.headersSent || response.destroyed) return
    const plain = host.plain()
    if (plain === undefined) {
      response.writeHead(host.serving() ? 404 : 503).end()
      return
    }
    const path = request.url ?? "/"
    const header = (name: string): string | undefined => {
      const value = request.headers[name]
      return Array.isArray(value) ? value[0] : value
    }
    const body: Uint8Array = Buffer.concat(pieces)
    try {
      plain.handle({ method: request.method ?? "GET", path, header, body, peer }, replyTo(host, response))
    } catch (cause) {
      host.broke(path, cause)
      if (response.headersSent) response.destroy()
      else response.writeHead(500).end()
    }
  })
}

const replyTo = (host: Http2Host, response: ServerResponse) => {
  const reply = {
    onDrain: undefined as (() => void) | undefined,
    onCancel: undefined as (() => void) | undefined,
    respond: (status: number, headers: Metadata, body: Uint8Array) => {
      if (response.headersSent) return
      response.writeHead(status, [...headers, "content-length", String(body.length)]).end(body)
    },
    begin: (status: number, headers: Metadata) => {
      if (response.headersSent) return
      response.writeHead(status, [...headers])
      response.flushHeaders()
    },
    send: (bytes: Uint8Array): boolean => {
      if (response.writableEnded || response.destroyed) return false
      if (response.writableLength > host.limits.sendQueueBytesMax) {
        response.destroy()
        return false
      }
      return response.write(Uint8Array.prototype.slice.call(bytes))
    },
    end: () => {
      response.end()
    }
  }
  response.on("drain", () => reply.onDrain?.())
  response.on("close", () => {
    if (!response.writableFinished) reply.onCancel?.()
  })
  return reply
}
