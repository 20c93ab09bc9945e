/** What of chainfire can be set, and what it is otherwise; as etcd has it, where etcd has it. */
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
}

export const defaultSettings: ChainfireSettings = {
  quotaBytes: 2 * 1024 * 1024 * 1024,
  watchProgressMillis: 10 * 60_000,
  watchFragmentBytes: 2 * 1024 * 1024,
  autoCompactionMode: "periodic",
  autoCompactionRetention: "0"
}

/** What is not given is as it is by default. */
export const settingsOf = (given: Partial<ChainfireSettings> = {}): ChainfireSettings => {
  const settings = { ...defaultSettings, ...given }
  return {
    ...settings,
    quotaBytes: settings.quotaBytes === 0 ? defaultSettings.quotaBytes : settings.quotaBytes
  }
}
