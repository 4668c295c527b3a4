// Writes .gz and .br beside every text file of dist, so that the server compresses nothing while people wait.
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { filesBelow, root } from './clients.mjs'

for (const path of [...filesBelow(join(root, 'dist'))]) {
  if (!/\.(js|css|html|json|svg|wasm|webmanifest)$/.test(path) || path.includes('/.vite/')) continue
  if (statSync(path).size < 1024) continue
  const bytes = readFileSync(path)
  writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
  writeFileSync(`${path}.br`, brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: bytes.length > 400_000 ? 9 : 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  }))
}
