/**
 * The gateway: by it programs of this host reach ports of guests, through the switch like everybody, but by a port
 * of their own. So what cuts guests from each other does not cut clients from guests.
 *
 * It is a QEMU without a machine: its user network listens on free ports of the loopback, and forwards them.
 */
import { Deferred, Effect, Exit, Schema } from "effect"
import * as Actor from "#actors/kernel/actor.ts"
import type { InitContext } from "#actors/kernel/context.ts"
import { observe } from "#protocols/message.ts"
import type { LabRecord } from "../reaper.ts"
import { type Forward, gatewayArguments } from "./machine-arguments.ts"
import { MachineFailed, startQemu } from "./qemu-process.ts"
import { Plug, Switch } from "./switch-actor.ts"
import { Cable } from "./switch-port-actor.ts"

/** A port of a guest, and where it is found on this host. */
export const Forwarded = Schema.Struct({ host: Schema.String, port: Schema.Int, at: Schema.String })
export type Forwarded = typeof Forwarded.Type

export class GetForwards extends Schema.TaggedRequest<GetForwards>()(
  "GetForwards",
  { payload: {}, success: Schema.Array(Forwarded), failure: Schema.Never },
  observe("Where ports of the lab's guests are found on this host.")
) {}

class Ended extends Schema.TaggedClass<Ended>()("Ended", { how: Schema.String }) {}

export interface GatewayArgs {
  readonly setpriv: string
  readonly qemu: string
  readonly forwards: ReadonlyArray<Forward>
  readonly record: LabRecord
  readonly switchPath: string
}

export const gatewayPort = "gateway"

export const Gateway = Actor.make("gateway", {
  messages: [GetForwards, Ended],
  init: (context: InitContext<GetForwards | Ended>, { forwards, switchPath, ...programs }: GatewayArgs) =>
    Effect.gen(function* () {
      const args = gatewayArguments(forwards)
      const qemu = yield* startQemu({ name: gatewayPort, ...programs, args, consolePath: undefined })
      context
        .lookup(switchPath, Switch)
        ?.tell(new Plug({ port: gatewayPort, cable: new Cable(qemu.network) }))
      context.pipe(Deferred.await(qemu.ended), (exit) =>
        Exit.isSuccess(exit) ? new Ended({ how: exit.value }) : new Ended({ how: "nobody knows how" })
      )
      const listed = yield* qemu.qmp("human-monitor-command", { "command-line": "info usernet" })
      const forwarded = forwardsIn(String(listed))
      if (forwarded.length !== forwards.length)
        return yield* new MachineFailed({
          machine: gatewayPort,
          doing: "listen",
          reason: `of ${forwards.length} ports it has ${forwarded.length}: ${qemu.consoleTail}`
        })
      return { forwarded }
    }),
  handlers: {
    GetForwards: (state) => Actor.reply(state, state.forwarded),
    Ended: (_state, { how }) => {
      throw new Error(`the gateway's QEMU has ended: ${how}`)
    }
  },
  inspect: ({ forwarded }) => forwarded
})

/** TCP[HOST_FORWARD]  13  127.0.0.1 40001  10.0.0.1  2379  0  0 */
export const forwardsIn = (listed: string): ReadonlyArray<Forwarded> =>
  [...listed.matchAll(/TCP\[HOST_FORWARD\]\s+\d+\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)/g)].map(
    ([, ownHost, ownPort, host = "", port]) => ({ host, port: Number(port), at: `${ownHost}:${ownPort}` })
  )
