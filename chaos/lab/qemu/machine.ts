/**
 * What can be asked of a machine of the lab. Everything but its state fails with `MachineFailed`: the machine is off,
 * QEMU refused, or the guest did not answer in time.
 */
import { Schema } from "effect"
import { event, observe, operate } from "#protocols/message.ts"
import { MachineFailed } from "./qemu-process.ts"

const order = <Fields extends Schema.Struct.Fields>(payload: Fields) => ({
  payload,
  success: Schema.Void,
  failure: MachineFailed
})

export class PowerOn extends Schema.TaggedRequest<PowerOn>()(
  "PowerOn",
  order({
    /** Where writes to its disk are recorded. */
    log: Schema.NullOr(Schema.String),
    /** From the copy of a running guest, or from its kernel on. */
    from: Schema.Literal("copy", "kernel")
  }),
  operate("Starts a machine of the lab.")
) {}

export class PowerOff extends Schema.TaggedRequest<PowerOff>()(
  "PowerOff",
  order({}),
  operate("Cuts the power of a machine of the lab: of its memory nothing stays.")
) {}

export class ShutDown extends Schema.TaggedRequest<ShutDown>()(
  "ShutDown",
  order({ withinMillis: Schema.Positive }),
  operate("Presses the power button of a machine of the lab, and waits until its guest has turned it off.")
) {}

export class Pause extends Schema.TaggedRequest<Pause>()(
  "Pause",
  order({}),
  operate("A machine of the lab stands still, its clocks as well.")
) {}

export class Resume extends Schema.TaggedRequest<Resume>()(
  "Resume",
  order({}),
  operate("A machine of the lab goes on.")
) {}

export class SetLink extends Schema.TaggedRequest<SetLink>()(
  "SetLink",
  order({ up: Schema.Boolean }),
  operate("Plugs the network cable of a machine of the lab in or out, as its guest sees it.")
) {}

export class ThrottleDisk extends Schema.TaggedRequest<ThrottleDisk>()(
  "ThrottleDisk",
  order({ writesPerSecond: Schema.NonNegativeInt, bytesPerSecond: Schema.NonNegativeInt }),
  operate("How much the disk of a machine of the lab writes in a second; 0 is no bound.")
) {}

export class BreakDisk extends Schema.TaggedRequest<BreakDisk>()(
  "BreakDisk",
  order({}),
  operate("Writes to the disk of a machine of the lab end with EIO.")
) {}

export class MendDisk extends Schema.TaggedRequest<MendDisk>()(
  "MendDisk",
  order({}),
  operate("The disk of a machine of the lab works again.")
) {}

export class Executed extends Schema.Class<Executed>("Executed")({
  status: Schema.Int,
  output: Schema.String
}) {}

export class Execute extends Schema.TaggedRequest<Execute>()(
  "Execute",
  {
    payload: { command: Schema.String, forMillis: Schema.Positive },
    success: Executed,
    failure: MachineFailed
  },
  operate("Runs a command of the shell in the guest, once that is up.")
) {}

export class MachineState extends Schema.Class<MachineState>("MachineState")({
  power: Schema.Literal("off", "on", "paused"),
  pid: Schema.NullOr(Schema.Int),
  /** The end of what it has printed. */
  console: Schema.String
}) {}

export class GetMachine extends Schema.TaggedRequest<GetMachine>()(
  "GetMachine",
  { payload: {}, success: MachineState, failure: Schema.Never },
  observe("Whether a machine of the lab is on, and the end of its console.")
) {}

export type MachineRequest =
  | PowerOn
  | PowerOff
  | ShutDown
  | Pause
  | Resume
  | SetLink
  | ThrottleDisk
  | BreakDisk
  | MendDisk
  | Execute
  | GetMachine

/** A guest has said that its node has ended, or its kernel has panicked. */
export class GuestNoted extends Schema.TaggedClass<GuestNoted>()(
  "GuestNoted",
  { machine: Schema.String, line: Schema.String },
  event("A guest of the lab has said that its node has ended, or that its kernel has panicked.")
) {}
