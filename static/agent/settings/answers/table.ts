// Questions as a table: written for Excel (comma, quotes, a mark that says it is UTF-8), read from a file, from cells
// copied out of a sheet (tabs), or from "问：… 答：…" blocks.
import type { components } from '@kit/api/schema'
import type { Faq } from './answers'

export type FaqLine = components['schemas']['FaqLine']
export interface ReadLine { line: FaqLine; wrong: '' | 'question' | 'answer' | 'long' }
const COLUMNS = ['category', 'question', 'wordings', 'answer', 'answer_en'] as const
const NAMES: Readonly<Record<string, (typeof COLUMNS)[number]>> = {
  category: 'category', 分类: 'category', question: 'question', 问题: 'question', wordings: 'wordings', 相似问法: 'wordings',
  answer: 'answer', 回答: 'answer', 答案: 'answer', answer_en: 'answer_en', 英文回答: 'answer_en',
}
const BETWEEN = '|'

// A sheet would run what begins like a formula.
const cell = (text: string): string => `"${(/^[=+\-@\t]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`
const bare = (text: string): string => text.trim().replace(/^'(?=[=+\-@])/, '')

export function written(faqs: readonly Faq[], head: readonly string[]): string {
  const rows = faqs.map((one) => [one.category, one.question, one.similar.join(BETWEEN), one.zh, one.en])
  return `\ufeff${[head, ...rows].map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`
}

/** Cells of a text with quotes that may hold separators and line ends (RFC 4180). */
function cells(text: string, separator: string): string[][] {
  const rows: string[][] = [[]]
  let now = ''
  let quoted = false
  const end = (): void => {
    rows.at(-1)?.push(now)
    now = ''
  }
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at)
    if (quoted && char === '"' && text[at + 1] === '"') {
      now += '"'
      at += 1
    } else if (char === '"' && (quoted || !now)) quoted = !quoted
    else if (!quoted && char === separator) end()
    else if (!quoted && char === '\n') {
      end()
      rows.push([])
    } else now += char
  }
  end()
  return rows.filter((row) => row.some((one) => one.trim()))
}

function blocks(text: string): string[][] {
  return text.split(/^(?:问|Q)\s*[:：]/im).slice(1).map((block) => {
    const [asked = '', ...answer] = block.split(/^(?:答|A)\s*[:：]/im)
    const [question = '', ...similar] = asked.trim().split('\n')
    return ['', question, similar.join(BETWEEN), answer.join('').trim(), '']
  })
}

function rowsOf(text: string): string[][] {
  if (/^(?:问|Q)\s*[:：]/im.test(text)) return blocks(text)
  const rows = cells(text, text.includes('\t') ? '\t' : ',')
  const named = rows[0]?.map((one) => NAMES[one.trim().toLowerCase()]) ?? []
  if (named.includes('question') && named.includes('answer')) return rows.slice(1).map((row) => COLUMNS.map((name) => (named.includes(name) ? (row[named.indexOf(name)] ?? '') : '')))
  // Without a head: question and answer, or all five.
  return rows.map((row) => (row.length >= 4 ? row : ['', row[0] ?? '', '', row[1] ?? '', row[2] ?? '']))
}

/** Each question that was found, with what is wrong with it. */
export function read(text: string): ReadLine[] {
  return rowsOf(text.replace(/^\ufeff/, '').replaceAll('\r\n', '\n')).map((row) => {
    const [category = '', question = '', wordings = '', zh = '', en = ''] = row.map(bare)
    const similar = wordings.split(/[|\n]/).map((one) => one.trim()).filter(Boolean).slice(0, 30)
    const long = category.length > 40 || question.length > 200 || zh.length > 2_000 || en.length > 2_000 || similar.some((one) => one.length > 200)
    return { line: { category, question, question_en: '', similar, zh, en, on: true }, wrong: !question ? 'question' : !zh ? 'answer' : long ? 'long' : '' }
  })
}
