// cids.mjs DIR: prints {name, profile, cid} as a line of JSON for each file in DIR and each profile,
// then for directories of 3, 1000 and 6000 small files.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { file, nowhere, profiles, root } from './profiles.mjs'

const [dir] = process.argv.slice(2)
if (dir == null) {
  console.error('usage: cids.mjs DIR')
  process.exit(2)
}

const print = (name, profile, cid) => console.log(JSON.stringify({ name, profile, cid: cid.toString() }))

for (const name of (await readdir(dir)).sort()) {
  for (const [profile, options] of Object.entries(profiles)) {
    print(name, profile, await root(file(join(dir, name)), nowhere, options))
  }
}

for (const count of [3, 1000, 6000]) {
  const entries = Array.from({ length: count }, (_, i) => ({
    path: `file-${String(i).padStart(5, '0')}.txt`,
    content: new TextEncoder().encode(`content ${i}`)
  }))
  for (const [profile, options] of Object.entries(profiles)) {
    print(`dir-${count}`, profile, await root(entries, nowhere, { ...options, wrapWithDirectory: true }))
  }
}
