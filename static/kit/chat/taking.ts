// Words taken back or put right: the log's own commands.
import type { ImClient } from '@kit/im/client'

export function takeBack(im: ImClient, c: string, s: number): Promise<unknown> {
  return im.op('recall', c, { s })
}

export function rewrite(im: ImClient, c: string, line: { s: number; b: { text?: string } }, text: string): Promise<unknown> {
  return text === line.b.text ? Promise.resolve() : im.op('edit', c, { s: line.s, text })
}
