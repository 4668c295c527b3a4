// Emoji people use in shops' chats; those of this browser come first when they were used.
const KEY = 'octshop.emoji'
const MOST_RECENT = 8

export const EMOJI: readonly string[] = [
  '😊', '😂', '😄', '😁', '🤣', '😉', '😍', '😘', '🥰', '😋', '😜', '🤗', '🤔', '😅', '😳', '😭', '😢', '😔', '😤', '😡',
  '😱', '😴', '🙄', '😏', '🤝', '👍', '👎', '👌', '✌️', '🙏', '👏', '💪', '👋', '❤️', '💔', '🌹', '🎉', '🎁', '🎂', '☕',
  '🍵', '🍜', '🍰', '🌸', '🔥', '⭐', '✅', '❌', '❓', '❗', '💰', '🧧', '📦', '🚚', '🏠', '📍', '📞', '⏰', '📷', '🎈',
]

export function recentEmoji(): string[] {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '[]') as unknown
    return Array.isArray(kept) ? kept.filter((one): one is string => typeof one === 'string').slice(0, MOST_RECENT) : []
  } catch {
    return []
  }
}

export function useEmoji(one: string): void {
  const kept = [one, ...recentEmoji().filter((other) => other !== one)].slice(0, MOST_RECENT)
  try {
    localStorage.setItem(KEY, JSON.stringify(kept))
  } catch {
    // A full store forgets what was used.
  }
}
