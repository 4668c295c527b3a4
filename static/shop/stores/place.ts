// Where the buyer looks for shops: the device's place, or the middle of a city they picked; kept on this device.
import { computed, ref } from 'vue'
import { whereAmI, type Place } from '@kit/geo/distance'

export interface City extends Place {
  key: string
  zh: string
  en: string
}

export const cities: readonly City[] = [
  { key: 'shanghai', zh: '上海', en: 'Shanghai', lng: 121.4737, lat: 31.2304 },
  { key: 'beijing', zh: '北京', en: 'Beijing', lng: 116.4074, lat: 39.9042 },
  { key: 'guangzhou', zh: '广州', en: 'Guangzhou', lng: 113.2644, lat: 23.1291 },
  { key: 'shenzhen', zh: '深圳', en: 'Shenzhen', lng: 114.0579, lat: 22.5431 },
  { key: 'hangzhou', zh: '杭州', en: 'Hangzhou', lng: 120.1551, lat: 30.2741 },
  { key: 'chengdu', zh: '成都', en: 'Chengdu', lng: 104.0665, lat: 30.5723 },
  { key: 'wuhan', zh: '武汉', en: 'Wuhan', lng: 114.3055, lat: 30.5928 },
  { key: 'xian', zh: '西安', en: "Xi'an", lng: 108.9398, lat: 34.3416 },
]

interface Kept {
  city: string
  exact: Place | null
}

const KEY = 'octshop.place'

function kept(): Kept {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? '') as Kept
    if (cities.some((one) => one.key === found.city)) return found
  } catch {
    // Nothing kept, or by an older version.
  }
  return { city: '', exact: null }
}

const chosen = ref<Kept>(kept())

/** null until the buyer, or the first list of shops, has said where. */
export const city = computed<City | null>(() => cities.find((one) => one.key === chosen.value.city) ?? null)
/** The device's own place is in use. */
export const exact = computed(() => chosen.value.exact !== null)
export const place = computed<Place | null>(() => chosen.value.exact ?? (city.value && { lng: city.value.lng, lat: city.value.lat }))
/** As the server's lists want it. */
export const near = computed(() => (place.value ? { lng: place.value.lng, lat: place.value.lat } : {}))

function keep(next: Kept): void {
  chosen.value = next
  localStorage.setItem(KEY, JSON.stringify(next))
}

export function chooseCity(key: string): void {
  keep({ city: key, exact: null })
}

/** A first visit looks where the first shop is, until the buyer says otherwise. */
export function guessCity(name: string | undefined): void {
  const found = cities.find((one) => one.zh === name)
  if (found && !chosen.value.city && !chosen.value.exact) chooseCity(found.key)
}

/** Asks the device. Returns false when it or the person says no. */
export async function useDevicePlace(): Promise<boolean> {
  const found = await whereAmI()
  if (found) keep({ city: chosen.value.city, exact: found })
  return found !== null
}
