/** What of chainfire can be set, and what it is otherwise; as etcd has it, where etcd has it. */
import { transactionOpsMax } from "./kv-write.ts"

export interface ChainfireSettings {
  /** What keys and leases may take up in the store; above it puts are refused. 0 is the default, less is no bound. */
  readonly quotaBytes: number
  /** How often a watch that wants it is told how far it is, when nothing else was told. */
  readonly watchProgressMillis: number
  /** Responses of watches that may be split are split at this length. */
  readonly watchFragmentBytes: number
  /** Whether old revisions are compacted by themselves: by time, or by how many there are. */
  readonly autoCompactionMode: "periodic" | "revision"
  /**
   * How much is kept. `periodic`: hours as a number, or a time such as `90m`. `revision`: how many. `0` is all.
   */
  readonly autoCompactionRetention: string
  /** Of one request; a larger one is refused. The same on all members: a leader takes what others forward. */
  readonly requestBytesMax: number
  /** Of one transaction, and of each that is within. */
  readonly transactionOpsMax: number
  /** Of one stream. */
  readonly watchesMax: number
}

export const defaultSettings: ChainfireSettings = {
  quotaBytes: 2 * 1024 * 1024 * 1024,
  watchProgressMillis: 10 * 60_000,
  watchFragmentBytes: 2 * 1024 * 1024,
  autoCompactionMode: "periodic",
  autoCompactionRetention: "0",
  requestBytesMax: 1.5 * 1024 * 1024,
  transactionOpsMax,
  watchesMax: 10_000
}

/** What is not given is as it is by default. */
export const settingsOf = (given: Partial<ChainfireSettings> = {}): ChainfireSettings => {
  const settings = { ...defaultSettings, ...given }
  return {
    ...settings,
    quotaBytes: settings.quotaBytes === 0 ? defaultSettings.quotaBytes : settings.quotaBytes
  }
}
