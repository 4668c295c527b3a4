// Turns the server's openapi.json into kit/api/schema.d.ts, so that a changed answer breaks the build and not the buyer.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import openapiTS, { astToString } from 'openapi-typescript'
import { root } from './clients.mjs'

const source = join(root, 'openapi.json')
const target = join(root, 'kit/api/schema.d.ts')
const head = '// Made by scripts/gen-api.mjs from openapi.json; do not edit.\n'
const text = existsSync(source)
  ? astToString(await openapiTS(JSON.parse(readFileSync(source, 'utf8'))))
  : 'export interface paths { [path: string]: never }\nexport interface components { schemas: Record<string, never> }\n'
if (!existsSync(target) || readFileSync(target, 'utf8') !== head + text) writeFileSync(target, head + text)
