/** What operators do from the console, in a browser: every order of the shell that needs more than a look, on three nodes. */
import { spawnSync } from "node:child_process"
import { statSync } from "node:fs"
import { join } from "node:path"
import test, { type ExecutionContext } from "ava"
import { Effect } from "effect"
import type { Page } from "playwright-core"
import { openTokens } from "#actors/platform/tokens.ts"
import { actCommands } from "../shell/act-commands.ts"
import { givenBy } from "../shell/command-spec.ts"
import { isBrowserInstalled, logIn, visit } from "./fixtures/browser.ts"
import { sharedConsole } from "./fixtures/shared-console.ts"
import type { ActionName, Fields } from "./page/action-table.ts"

/** One after the other: they change one cluster, and the last takes a node away. */
const acting = isBrowserInstalled ? test.serial : test.skip

const { looking, shared } = sharedConsole(test, { nodes: 3, shop: true })

/** The words in which a shell asks. */
const wordsOf = (name: ActionName, fields: Fields): string => {
  const command = actCommands.find((each) => each.name === name)
  const given = command === undefined ? undefined : givenBy(command, fields)
  const says = given?._tag === "Right" ? (command?.danger?.(given.right) ?? "") : ""
  return says === "" ? "" : `${says}.`
}

interface Agreed {
  readonly name: ActionName
  readonly fields: Fields
  readonly button: string
  readonly why?: string
}

/** The dialog that is open asks in the shell's words; then it is agreed to. */
const agree = async (t: ExecutionContext, page: Page, { button, fields, name, why }: Agreed) => {
  const dialog = page.getByRole("dialog")
  await dialog.waitFor()
  t.is(await dialog.locator(".says").textContent(), wordsOf(name, fields))
  if (why !== undefined) await dialog.getByLabel("Why").fill(why)
  await dialog.getByRole("button", { name: button, exact: true }).click()
}

const isGone = (page: Page) => page.getByRole("dialog").waitFor({ state: "detached" })

const goTo = (page: Page, hash: string) => page.goto(`${page.url().split("#")[0]}#/${hash}`)

acting("a breaker is tripped, held, refused, released and reset", async (t) => {
  const path = "/node02/shop-breaker"
  const fields = { breaker: path }
  await looking(t, async ({ page, screenshot }) => {
    await goTo(page, "breakers")
    const breaker = page.locator(".breaker", { hasText: path })
    const state = (text: string) => breaker.locator(".pill", { hasText: text }).waitFor()
    const press = (name: string) => breaker.getByRole("button", { name, exact: true }).click()
    await state("closed")
    await press("Trip")
    await page.getByRole("dialog").waitFor()
    await screenshot("dialog-trip")
    await agree(t, page, { name: "breaker trip", fields, button: "Trip", why: "the shop is on fire" })
    await isGone(page)
    await state("open")
    await breaker.getByText("the shop is on fire").waitFor()

    await press("Hold")
    await agree(t, page, { name: "breaker hold", fields, button: "Hold", why: "until it is out" })
    await isGone(page)
    await state("held")
    await breaker.getByText("held by HUMAN::operator: until it is out").waitFor()

    // What is refused is said where it was asked, and the dialog stays for another try or none.
    await press("Reset")
    await agree(t, page, { name: "breaker reset", fields, button: "Reset" })
    await page
      .getByRole("dialog")
      .getByRole("alert")
      .filter({ hasText: "HUMAN::operator holds it" })
      .waitFor()
    await screenshot("dialog-refused")
    await page.keyboard.press("Escape")
    await isGone(page)
    await state("held")

    // What nobody has to be warned of has a reason too.
    await press("Release")
    await agree(t, page, { name: "breaker release", fields, button: "Release", why: "it is out" })
    await isGone(page)
    await breaker.locator(".pill", { hasText: "held" }).waitFor({ state: "detached" })
    await press("Reset")
    await agree(t, page, { name: "breaker reset", fields, button: "Reset" })
    await isGone(page)
    await state("closed")

    // Others see it as they see what a shell does.
    await goTo(page, "events")
    const acted = page.locator(".event", { hasText: "TripBreaker" }).filter({ hasText: "HUMAN::operator" })
    await acted.first().waitFor()
  })
})

acting("failover is held and released; a role is forced, vetoed and let go again", async (t) => {
  await looking(t, async ({ page, screenshot }) => {
    await goTo(page, "cluster")
    const card = page.locator(".card", { has: page.getByRole("heading", { name: /^Failover/ }) })
    const row = card.getByRole("row", { name: /^mail/ })
    await row.getByRole("button", { name: "Veto" }).waitFor()
    await card.getByRole("button", { name: "Hold" }).click()
    await agree(t, page, { name: "failover hold", fields: {}, button: "Hold", why: "works on the power" })
    await isGone(page)
    await card.getByText("held by HUMAN::operator: works on the power").waitFor()
    await card.getByRole("button", { name: "Release" }).click()
    await agree(t, page, { name: "failover release", fields: {}, button: "Release", why: "it is done" })
    await isGone(page)
    await card.locator(".pill", { hasText: "running" }).waitFor()

    const to = row.getByRole("button", { name: /^To node/ }).first()
    const node = ((await to.textContent()) ?? "").replace("To ", "")
    await to.click()
    const forced = { role: "mail", node }
    await agree(t, page, { name: "failover force", fields: forced, button: "Give it" })
    await isGone(page)
    const order = card.locator(".order", { hasText: "mail has to be on" })
    await order.getByText("by HUMAN::operator").waitFor()
    await row.getByRole("cell", { name: new RegExp(`^${node}`) }).waitFor()
    await screenshot("failover-forced")
    await order.getByRole("button", { name: "Lift" }).click()
    await agree(t, page, { name: "failover unforce", fields: { role: "mail" }, button: "Lift" })
    await isGone(page)
    await order.waitFor({ state: "detached" })

    await row.getByRole("button", { name: "Veto" }).click()
    await agree(t, page, { name: "failover veto", fields: forced, button: "Veto", why: "its disk is slow" })
    await isGone(page)
    const veto = card.locator(".order", { hasText: "mail may not be on" })
    await veto.getByText("its disk is slow").waitFor()
    await row.getByRole("cell", { name: new RegExp(`^node0[^${node.at(-1)}]`) }).waitFor()
    await veto.getByRole("button", { name: "Lift" }).click()
    await agree(t, page, { name: "failover lift", fields: forced, button: "Lift", why: "a new disk" })
    await isGone(page)
    await veto.waitFor({ state: "detached" })
  })
})

acting("a message is told and asked field by field, and what is wrong is said at its field", async (t) => {
  await looking(t, async ({ page, screenshot }) => {
    await goTo(page, "actor/node02/shop/store")
    await page.getByRole("button", { name: "Write", exact: true }).click()
    const dialog = page.getByRole("dialog", { name: "Write" })
    t.regex((await dialog.locator(".says").textContent()) ?? "", /gets Write, which takes operate: Adds/)
    const key = dialog.getByLabel("key")
    const by = dialog.getByLabel("by")
    await key.fill("pears")
    await by.fill("many")
    await dialog.getByRole("button", { name: "Tell" }).click()
    await dialog.locator("[aria-invalid=true]").waitFor()
    t.is(await by.getAttribute("aria-invalid"), "true")
    t.is(await key.getAttribute("aria-invalid"), null)
    const described = dialog.locator(`#${await by.getAttribute("aria-describedby")}`)
    t.regex((await described.textContent()) ?? "", /^Expected .*many/)
    t.true(await by.evaluate((element) => element === element.ownerDocument.activeElement))
    await screenshot("tell-wrong-field")
    t.is(await key.inputValue(), "pears", "what was right stays")
    await by.fill("")
    await dialog.getByRole("button", { name: "Tell" }).click()
    await described.filter({ hasText: "is missing" }).waitFor()
    await by.fill("3")
    await dialog.getByRole("button", { name: "Tell" }).click()
    await dialog.getByText("Write was sent to /node02/shop/store").waitFor()
    t.is(await by.getAttribute("aria-invalid"), null)
    await page.keyboard.press("Escape")

    await page.getByRole("button", { name: "Total", exact: true }).click()
    const total = page.getByRole("dialog", { name: "Total" })
    await total.getByLabel("key").fill("plums")
    await total.getByRole("button", { name: "Ask" }).click()
    await total.getByText("nothing was written to plums").waitFor()
    await total.getByLabel("key").fill("pears")
    await total.getByRole("button", { name: "Ask" }).click()
    await total
      .locator(".answer")
      .filter({ hasText: /Answer\s*3/ })
      .waitFor()
  })
})

acting("who may only look is refused by the node, in its words, and sees it in the dialog", async (t) => {
  const context = shared()
  if (context === undefined) return
  const { browser, cluster, url } = context
  const tokens = await Effect.runPromise(openTokens(join(cluster.folder, "node01"), "console-test"))
  const grants = [{ permission: "observe", prefix: "/" }] as const
  const token = await Effect.runPromise(tokens.sign({ actorId: "HUMAN::ann", grants }))
  await visit(browser, url, async ({ page }) => {
    await logIn(page, token)
    await goTo(page, "actor/node03/shop/store")
    await page.getByRole("button", { name: "Restart", exact: true }).click()
    const fields = { path: "/node03/shop/store" }
    await agree(t, page, { name: "restart", fields, button: "Restart" })
    const refusal = page.getByRole("dialog").getByRole("alert")
    await refusal
      .filter({ hasText: /^HUMAN::ann may not send \w+ to \/node03\/shop: it takes operate/ })
      .waitFor()
    await page.keyboard.press("Escape")
    t.is(await page.locator(".panel .number", { hasText: "Life" }).locator("dd").textContent(), "1")
  })
})

acting("members of chainfire come and go, and the lead moves", async (t) => {
  await looking(t, async ({ page, screenshot }) => {
    await goTo(page, "chainfire")
    const group = page.getByRole("group", { name: "Group of chainfire" })
    await group.getByRole("button", { name: "Have it lead" }).nth(1).waitFor()
    await screenshot("group")
    const to = group
      .getByRole("row")
      .filter({ has: page.getByRole("button", { name: "Have it lead" }) })
      .first()
    const name = (await to.getByRole("cell").first().textContent()) ?? ""
    await to.getByRole("button", { name: "Have it lead" }).click()
    await agree(t, page, { name: "transfer-leader", fields: { to: name }, button: "Hand over" })
    await isGone(page)
    await group.getByRole("row", { name: new RegExp(`^${name} leads`) }).waitFor()

    const peer = "http://127.0.0.1:7991"
    await page.getByRole("button", { name: "Add a member" }).click()
    await page.getByRole("dialog").getByLabel("peer url").fill(peer)
    await page.getByRole("dialog").getByText(`chainfire has one more member, at ${peer}`).waitFor()
    await page.getByRole("dialog").getByRole("button", { name: "Add", exact: true }).click()
    await isGone(page)
    const learner = group.getByRole("row", { name: /learns/ })
    await learner.getByText(peer).waitFor()
    await learner.getByRole("button", { name: "Promote" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Promote" }).click()
    await page.getByRole("dialog").getByRole("alert").filter({ hasText: "learner" }).waitFor()
    await page.keyboard.press("Escape")
    await isGone(page)
    await learner.getByRole("button", { name: "Remove" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click()
    await isGone(page)
    await learner.waitFor({ state: "detached" })
  })
})

acting("a backup is a file of the browser that etcd's own tool reads", async (t) => {
  await looking(t, async ({ page, screenshot }) => {
    await goTo(page, "chainfire")
    await page.getByRole("button", { name: "Back up" }).click()
    await page
      .getByRole("dialog")
      .getByText(/whole, or not at all/)
      .waitFor()
    await screenshot("dialog-backup")
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("dialog").getByRole("button", { name: "Save" }).click()
    ])
    await isGone(page)
    t.is(download.suggestedFilename(), "console-test-node01.db")
    const file = await download.path()
    t.true(statSync(file).size > 1_000)
    const etcdctl = spawnSync("etcdctl", ["snapshot", "status", file], {
      env: { ...process.env, ETCDCTL_API: "3" },
      encoding: "utf8"
    })
    if (etcdctl.error === undefined) t.regex(etcdctl.stdout, /^[0-9a-f]+, \d+, \d+, /)
    else t.log("etcdctl is not installed")
  })
})

acting("the level of a node's log is changed", async (t) => {
  await looking(t, async ({ page }) => {
    await goTo(page, "cluster")
    const row = page.getByRole("group", { name: "Nodes" }).getByRole("row", { name: /^node02/ })
    await row.getByRole("button", { name: "Log level" }).click()
    const dialog = page.getByRole("dialog", { name: "What node02 logs from now on" })
    await dialog.getByLabel("level").selectOption("warn")
    await dialog.getByRole("button", { name: "Set it" }).click()
    await page.getByText("node02 logs from warn on, before from").waitFor()
  })
})

acting("on a phone dialogs and forms fit, by day and by night", async (t) => {
  const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true } as const
  const fits = async (page: Page, name: string) => {
    const box = await page.getByRole("dialog").boundingBox()
    t.true(box !== null && box.x >= 0 && box.x + box.width <= 390, `${name}: ${JSON.stringify(box)}`)
    t.true(box !== null && box.y >= 0 && box.y + box.height <= 844, `${name}: ${JSON.stringify(box)}`)
  }
  await looking(
    t,
    async ({ page, screenshot }) => {
      await goTo(page, "cluster")
      await page.getByRole("button", { name: "Drain" }).first().click()
      await page.getByRole("dialog").waitFor()
      await fits(page, "drain")
      await screenshot("phone-drain")
      await page.keyboard.press("Escape")
      await goTo(page, "chainfire")
      await page.getByRole("button", { name: "Back up" }).waitFor()
      await screenshot("phone-group")
      await page.emulateMedia({ colorScheme: "dark" })
      await goTo(page, "actor/node01/chainfire/member/keys")
      await page.getByRole("button", { name: "RangeKeys", exact: true }).click()
      await page.getByRole("dialog", { name: "RangeKeys" }).waitFor()
      await fits(page, "message")
      await screenshot("phone-message-dark")
    },
    { ...phone, deviceScaleFactor: 2 }
  )
})

acting("a node is drained, step by step, and has said goodbye", async (t) => {
  t.timeout(180_000)
  await looking(t, async ({ page, screenshot }) => {
    await goTo(page, "cluster")
    const members = page.getByRole("group", { name: "Members", exact: true })
    const node03 = members.getByRole("row", { name: /^node03/ })
    await node03.getByRole("button", { name: "Drain" }).click()
    const dialog = page.getByRole("dialog", { name: "Drain node03?" })
    await dialog.getByText(/says goodbye to the cluster; only a new start/).waitFor()
    // What it will do follows what is chosen.
    await dialog.getByLabel(/^stay/).check()
    await dialog.getByText(/vetoed there, and it stays a member/).waitFor()
    await dialog.getByLabel(/^stay/).uncheck()
    await dialog.getByText(/says goodbye to the cluster/).waitFor()
    await screenshot("dialog-drain")
    await agree(t, page, {
      name: "drain",
      fields: { node: "node03" },
      button: "Drain",
      why: "it goes to repair"
    })
    await dialog.getByText("node03 has said goodbye; stop its process now").waitFor()
    await screenshot("drained")
    await dialog.getByRole("button", { name: "Close" }).click()
    await isGone(page)
    await node03.getByText("left", { exact: true }).waitFor()
    t.is(await node03.getByRole("button").count(), 0)
  })
})
