// What a file is to a chat, and how large things are, in words.
import type { SayKind } from '@kit/im/types'

export type FileKind = Extract<SayKind, 'image' | 'voice' | 'video' | 'file'>

/** What the server takes as a picture; anything else travels as a file. */
const PICTURES = /^image\/(png|jpe?g|webp|gif|bmp|heic|heif|avif)$/

export function kindOf(file: Pick<File, 'type'>): FileKind {
  if (PICTURES.test(file.type)) return 'image'
  if (file.type.startsWith('video/')) return 'video'
  return file.type.startsWith('audio/') ? 'voice' : 'file'
}

export function sizeText(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`
  if (bytes < 1_000_000) return `${Math.round(bytes / 1_000)} KB`
  return `${(bytes / 1_000_000).toFixed(bytes < 10_000_000 ? 1 : 0)} MB`
}

/** 75,400 ms → "1:15". */
export function lengthText(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
