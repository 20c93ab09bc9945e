import test from "ava"
import { repairsIn } from "./host-verify.ts"

test("what e2fsck has to do after any power cut is told from what only a disk that lies makes it do", (t) => {
  const said = `disk.img: recovering journal
Clearing orphaned inode 13 (uid=0, gid=0, mode=0100600, size=12)
Pass 1: Checking inodes, blocks, and sizes
Inode 12 has a bad extent header.  Clear? yes

Pass 5: Checking group summary information
Free blocks count wrong (178607, counted=112994).
Fix? yes

Free blocks count wrong for group #0 (6144, counted=6100).
Fix? yes

disk.img: ***** FILE SYSTEM WAS MODIFIED *****
`
  t.deepEqual(repairsIn(said), [
    "Inode 12 has a bad extent header.",
    "Free blocks count wrong for group #0 (6144, counted=6100)."
  ])
  t.deepEqual(repairsIn("disk.img: recovering journal\nPass 1: Checking\n"), [])
})
