/**
 * A client of the message API that does not leave the process: its link is a peer of this node, behind the gate of
 * whoever is logged in. What a shell does over a socket is done through it in the same way.
 */
import { Effect, type Scope } from "effect"
import type { Gate } from "#actors/kernel/gate.ts"
import type { Peer, PeerOptions } from "#actors/kernel/peer.ts"
import { type Client, connectOver } from "#protocols/client/client.ts"
import { liveWorld } from "#protocols/client/client-world.ts"
import { pack, unpack } from "#protocols/client/packet-parser.ts"
import type { LinkListener, Transport } from "#protocols/client/transport.ts"
import type { LinkFault } from "#protocols/links.ts"
import { protocolVersion } from "#protocols/wire/frames.ts"

export interface NodeClientOptions {
  readonly node: string
  readonly cluster: string
  readonly gate: Gate
  readonly openPeer: (options: PeerOptions) => Peer
}

/** For as long as the scope is open. */
export const nodeClient = (options: NodeClientOptions): Effect.Effect<Client, LinkFault, Scope.Scope> =>
  connectOver(transportOf(options), { url: options.node }, liveWorld)

const packing = { pack, unpack }

const transportOf = ({ cluster, gate, node, openPeer }: NodeClientOptions): Transport => ({
  packing,
  dial: (_url, opened) =>
    Effect.sync(() => {
      let listener: LinkListener | undefined
      const peer = openPeer({ gate, packing, send: (batch) => listener?.onBatch(batch) })
      listener = opened({
        introduction: { protocol: protocolVersion, cluster, name: node, bootId: node, address: "" },
        send: (batch) => peer.receive(batch),
        close: (reason) => {
          peer.close(reason)
          listener?.onClosed(reason)
        }
      })
    })
})
