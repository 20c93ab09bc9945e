/**
 * Where a node begins in a guest: everything is loaded and has run once, and then it waits for its name, in a pipe
 * that it is given. A guest is copied in that state, and its copies are nodes within seconds.
 *
 * What a process has drawn by chance before would be the same in all copies. OpenSSL begins its random numbers anew
 * when the clock goes back: a guest that is copied has lived in the future. What Node has drawn from there in advance
 * is used up here, and Math.random begins anew too. What remains is what packages have in stock: identifiers that
 * engine.io gives to sessions of one server, and masks of websockets.
 */
import { randomBytes, randomInt, randomUUID } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { flushCompileCache } from "node:module"
import { Cause, Effect, Exit } from "effect"
import { Prng } from "#chaos/sim/prng.ts"
import { main } from "#supervisors/command.ts"
import { nodeArguments, rehearse } from "./rehearsal.ts"

const [, , pipe = "/run/go", certificates] = process.argv
// Some have taken hold of this function already, or will while rehearsing.
let prng = new Prng(1)
Math.random = () => prng.next()

const rehearsed = certificates === undefined ? Exit.void : await Effect.runPromiseExit(rehearse(certificates))
flushCompileCache()
writeFileSync("/run/loaded", Exit.isSuccess(rehearsed) ? "well" : Cause.pretty(rehearsed.cause))
const [name = ""] = readFileSync(pipe, "utf8").trim().split("\n")
// As many as Node has in stock at most.
for (let drawn = 0; drawn < 128; drawn++) randomUUID()
for (let drawn = 0; drawn < 1_024; drawn++) randomInt(2)
prng = new Prng(randomBytes(4).readUInt32LE())
main(nodeArguments("/run/data/cluster.json", name))
