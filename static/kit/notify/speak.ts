// Says a sentence aloud with the machine's own voice; false when there is none, so that a tone can stand in.

export function speak(text: string, lang: string): boolean {
  const synthesis = window.speechSynthesis as SpeechSynthesis | undefined
  if (!synthesis || typeof SpeechSynthesisUtterance === 'undefined') return false
  // An empty list may only mean "not loaded yet"; the utterance then uses the default voice.
  const voices = synthesis.getVoices()
  const prefix = lang.slice(0, 2).toLowerCase()
  const voice = voices.find((one) => one.lang.toLowerCase().startsWith(prefix) && one.localService)
    ?? voices.find((one) => one.lang.toLowerCase().startsWith(prefix))
  const words = new SpeechSynthesisUtterance(text)
  words.lang = lang
  if (voice) words.voice = voice
  words.volume = 1
  synthesis.cancel()
  synthesis.speak(words)
  return voice !== undefined
}
