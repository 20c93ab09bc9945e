/**
 * Bugs of the kinds that such systems have had, as changes of our own source. They are made in a copy when a test
 * wants them; if the suite does not find one, it has gone blind, whatever else is green.
 */

export interface Mutation {
  /** As one would write it into a list of bugs. */
  readonly bug: string
  readonly edits: ReadonlyArray<Edit>
  /** In which scenarios it must show, in the simulator. */
  readonly scenarios: ReadonlyArray<string>
  /** Which checks must find it; one of them is enough. */
  readonly foundBy: ReadonlyArray<string>
  readonly seedsMax: number
}

/** What stands in the file exactly once, and what stands there instead. */
export interface Edit {
  readonly file: string
  readonly from: string
  readonly to: string
}

export const mutations: ReadonlyArray<Mutation> = [
  {
    bug: "a member acknowledges what its disk has not flushed",
    edits: [
      {
        file: "actors/chainfire/member.ts",
        from: "      journal.sync((fault) => {\n",
        to: "      this.#persisted(batch, undefined)\n      journal.sync((fault) => {\n"
      },
      {
        file: "actors/chainfire/member.ts",
        from: "        this.#persisted(batch, fault)\n",
        to: "        if (fault !== undefined) this.#fail(fault)\n"
      }
    ],
    scenarios: ["power-loss-mid-flush"],
    // Revisions that clients were told go back, too, when the writes that made them are gone.
    foundBy: [
      "acknowledged writes",
      "linearizable",
      "revisions in order",
      "convergence",
      "watches complete",
      "fences hold"
    ],
    seedsMax: 20
  },
  {
    bug: "a leader answers reads without asking a quorum whether it still leads",
    edits: [
      {
        file: "actors/raft/raft-leader.ts",
        from: "(this.progress.get(node)?.round ?? 0)",
        to: "this.reads.round"
      }
    ],
    scenarios: ["minority-partition", "paused-leader"],
    foundBy: ["linearizable", "revisions in order"],
    seedsMax: 40
  },
  {
    bug: "a member votes twice in a term",
    edits: [
      {
        file: "actors/raft/raft.ts",
        from: "(this.#replica.mayVoteFor(from) && (this.#leader === nobody || this.#leader === from))",
        to: "term === this.term"
      }
    ],
    scenarios: ["leader-kill"],
    foundBy: [
      "linearizable",
      "acknowledged writes",
      "convergence",
      "watches complete",
      "revisions in order",
      "no unexpected crash",
      "the simulation ended"
    ],
    seedsMax: 100
  },
  {
    bug: "whoever has a role goes on when its epoch is over, and nodes obey it",
    edits: [
      {
        file: "actors/cluster/leader-role.ts",
        from: "    return this.#untilMillis - this.rules.stopMillis - this.rules.slackMillis",
        to: "    return Number.POSITIVE_INFINITY"
      },
      {
        file: "actors/cluster/leader-role.ts",
        from: 'if (fault._tag !== "LeasesUnavailable") this.#stop',
        to: 'if (fault._tag === "LeaseHeld" && nowMillis < 0) this.#stop'
      },
      {
        file: "actors/cluster/role-agent.ts",
        from: "    if (term < this.#term)\n",
        to: "    if (term < 0)\n"
      },
      {
        file: "actors/cluster/role-agent.ts",
        from: "    if (term < this.#term) return new StaleEpoch({ role, epoch, current: roleEpoch(this.#term, 0) })\n",
        to: ""
      },
      {
        file: "actors/cluster/role-agent.ts",
        from: "    if (known !== undefined && epoch < known.seen) return",
        to: "    if (known !== undefined && epoch < 0) return"
      }
    ],
    scenarios: ["role-failover"],
    foundBy: ["single holder", "lease safety"],
    seedsMax: 10
  },
  {
    bug: "a watch that is behind the compaction goes on as if nothing were missing",
    edits: [
      {
        file: "actors/chainfire/mvcc.ts",
        from: "    if (from < this.#compactRevision) throw new Compacted(this.#compactRevision)\n    const start",
        to: "    const start"
      }
    ],
    scenarios: ["compaction-under-watch"],
    foundBy: ["watches complete"],
    seedsMax: 40
  }
]
