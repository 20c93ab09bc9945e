/**
 * The door through which an operator's shell gets into a lab while it runs: the lab is a node alone in a cluster of
 * its own, with a tree that has machines in it.
 *
 *   npm start -- shell --data-directory FOLDER -e tree
 *
 * It listens on the loopback, its token is in the lab's folder and goes with it.
 */
import { randomUUID } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Context, Effect, Layer } from "effect"
import { LinkDatagrams } from "#actors/cluster/links-actor.ts"
import { RegistryView } from "#actors/cluster/registry-actor.ts"
import { Datagrams } from "#actors/kernel/ports/datagrams.ts"
import { Links } from "#actors/kernel/ports/links.ts"
import { socketioLinks } from "#actors/platform/socketio-links.ts"
import { openTokens } from "#actors/platform/tokens.ts"
import { Metadata } from "#protocols/membership.ts"
import { protocolVersion } from "#protocols/wire/frames.ts"
import { child } from "#supervisors/engine/tree.ts"
import { type Door, doorFileName } from "#supervisors/shell/door.ts"
import { cluster } from "#supervisors/trees/cluster.ts"
import { version } from "#supervisors/trees/node.ts"

/** Of the lab's system and of the root of its tree. */
export const labName = "lab"

/** A child for the end of the lab's tree, and the services that it needs. */
export const openLabDoor = (labFolder: string, note: (line: string) => void) =>
  Effect.gen(function* () {
    const folder = join(labFolder, "door")
    const tokens = yield* openTokens(folder, labName)
    const datagrams = new LinkDatagrams()
    const identity = { protocol: protocolVersion, cluster: labName, name: labName, bootId: randomUUID() }
    const links = yield* Layer.build(socketioLinks({ self: identity, tokens, port: 0 }))
    const { self } = Context.get(links, Links)
    const door: Door = { node: labName, url: `http://${self.address}` }
    writeFileSync(join(folder, doorFileName), `${JSON.stringify(door)}\n`, { mode: 0o600 })
    note(`a shell attaches to the lab: npm start -- shell --data-directory ${folder}`)
    const entrance = cluster({
      self,
      metadata: new Metadata({ roles: [], zone: labName, version, ports: {} }),
      seeds: [],
      datagrams,
      view: new RegistryView()
    })
    return {
      entrance: child(entrance),
      services: Layer.merge(Layer.succeedContext(links), Layer.succeed(Datagrams, datagrams))
    }
  })
