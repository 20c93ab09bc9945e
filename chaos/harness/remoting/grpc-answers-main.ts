/** The answering process of gRPC: says on which port it listens, and lives until its parent is gone. */
import { Server, ServerCredentials } from "@grpc/grpc-js"
import { limits, service } from "./grpc.ts"

const server = new Server(limits)
server.addService(service, {
  add: (call: { readonly request: Buffer }, answer: (error: null, value: Buffer) => void) => {
    const sum = Buffer.alloc(4)
    sum.writeInt32LE(call.request.readInt32LE(0) + 1)
    answer(null, sum)
  },
  store: (call: { readonly request: Buffer }, answer: (error: null, value: Buffer) => void) => {
    const length = Buffer.alloc(4)
    length.writeInt32LE(call.request.length)
    answer(null, length)
  }
})
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error
  process.send?.(port)
})
process.on("disconnect", () => process.exit(0))
