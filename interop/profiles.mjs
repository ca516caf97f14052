// What the two import profiles mean to ipfs-unixfs-importer.

import { createReadStream } from 'node:fs'
import { importer } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'

function profile (chunkSize, maxChildrenPerNode) {
  return {
    cidVersion: 1,
    rawLeaves: true,
    reduceSingleLeafToSelf: true,
    shardSplitThresholdBytes: 262144,
    shardSplitStrategy: 'links-bytes',
    chunker: fixedSize({ chunkSize }),
    layout: balanced({ maxChildrenPerNode })
  }
}

export const profiles = {
  'unixfs-v1-2025': profile(1 << 20, 1024),
  '256KiB-174': profile(256 << 10, 174)
}

/** The CID of the last entry that an import yields: its root. */
export async function root (entries, blocks, options) {
  let last
  for await (const entry of importer(entries, blocks, options)) last = entry
  return last.cid
}

/** A file as the only entry of an import. */
export function file (path) {
  return [{ content: createReadStream(path) }]
}

/** A store that keeps nothing. */
export const nowhere = {
  put (cid, block) { return cid }
}
