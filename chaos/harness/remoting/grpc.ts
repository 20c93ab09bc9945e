/** The service that gRPC offers in the remoting benchmark: unary calls whose messages are bytes already. */
const asIs = (value: Buffer): Buffer => value

const unary = (name: string) => ({
  path: `/bench.Adder/${name}`,
  requestStream: false,
  responseStream: false,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs
})

export const service = { add: unary("Add"), store: unary("Store") }
export const limits = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 }
