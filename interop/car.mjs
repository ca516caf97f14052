// CAR files made and read by @ipld/car.
//
//   car.mjs make FILE OUT.car             imports FILE; prints the root CID
//   car.mjs read IN.car [--file OUT]      checks every block; prints the root CID and the number of blocks
//
// `make` writes blocks as another tool might: leaves first and the root last, one block twice,
// and one block that the root does not reach.

import { createReadStream, createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { CarReader, CarWriter } from '@ipld/car'
import { MemoryBlockstore } from 'blockstore-core/memory'
import { exporter } from 'ipfs-unixfs-exporter'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { sha256 } from 'multiformats/hashes/sha2'
import { file, profiles, root } from './profiles.mjs'

async function make (path, out) {
  const blocks = new Map()
  const store = {
    put (cid, bytes) {
      blocks.set(cid.toString(), { cid, bytes })
      return cid
    }
  }
  const top = await root(file(path), store, profiles['unixfs-v1-2025'])

  const stray = new TextEncoder().encode('no link leads here')
  const order = [...blocks.values()].filter(({ cid }) => !cid.equals(top))
  order.sort((a, b) => Number(b.cid.code === raw.code) - Number(a.cid.code === raw.code))
  order.push({ cid: CID.create(1, raw.code, await sha256.digest(stray)), bytes: stray })
  order.push(blocks.get(top.toString()))
  order.push(order[0])

  const { writer, out: car } = CarWriter.create([top])
  const written = pipeline(Readable.from(car), createWriteStream(out))
  for (const block of order) await writer.put(block)
  await writer.close()
  await written
  console.log(top.toString())
}

async function read (path, out) {
  const car = await CarReader.fromIterable(createReadStream(path))
  const roots = await car.getRoots()
  if (roots.length !== 1) throw new Error(`${roots.length} roots`)

  const store = new MemoryBlockstore()
  let count = 0
  for await (const { cid, bytes } of car.blocks()) {
    if (cid.multihash.code !== sha256.code) throw new Error(`${cid}: not SHA-256`)
    const { digest } = await sha256.digest(bytes)
    if (!Buffer.from(digest).equals(cid.multihash.digest)) throw new Error(`${cid}: the digest differs`)
    await store.put(cid, bytes)
    count++
  }
  if (out != null) {
    const entry = await exporter(roots[0], store)
    await pipeline(Readable.from(entry.content()), createWriteStream(out))
  }
  console.log(`${roots[0]} ${count}`)
}

const { positionals: [verb, ...paths], values } = parseArgs({
  allowPositionals: true,
  options: { file: { type: 'string' } }
})
if (verb === 'make' && paths.length === 2) {
  await make(...paths)
} else if (verb === 'read' && paths.length === 1) {
  await read(paths[0], values.file)
} else {
  console.error('usage: car.mjs make FILE OUT.car | car.mjs read IN.car [--file OUT]')
  process.exit(2)
}
