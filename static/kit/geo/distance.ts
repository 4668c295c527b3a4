// Distances for people: "350 m", "1.2 km"; and where the buyer stands, asked only after a tap.

export interface Place {
  lng: number
  lat: number
}

/** 350 → "350 m"; 1240 → "1.2 km"; beyond 100 km "> 100 km". */
export function distanceText(metres: number): string {
  if (metres < 1000) return `${Math.max(10, Math.round(metres / 10) * 10)} m`
  if (metres > 100_000) return '> 100 km'
  const km = metres / 1000
  return `${km < 10 ? km.toFixed(1) : Math.round(km)} km`
}

const rad = (degrees: number) => (degrees * Math.PI) / 180

/** Great-circle metres between two places of one datum. */
export function metresBetween(a: Place, b: Place): number {
  const h =
    Math.sin(rad(b.lat - a.lat) / 2) ** 2 +
    Math.cos(rad(a.lat)) * Math.cos(rad(b.lat)) * Math.sin(rad(b.lng - a.lng) / 2) ** 2
  return 2 * 6_371_008.8 * Math.asin(Math.min(1, Math.sqrt(h)))
}

const A = 6_378_245
const EE = 0.006_693_421_622_965_943

/** Browsers and our server speak WGS-84; Chinese map providers draw GCJ-02, a few hundred metres away. */
export function toGcj02(place: Place): Place {
  const { lng, lat } = place
  if (lng < 72.004 || lng > 137.8347 || lat < 0.8293 || lat > 55.8271) return place
  const x = lng - 105
  const y = lat - 35
  const wave = (n: number) => (20 * Math.sin(6 * n * Math.PI) + 20 * Math.sin(2 * n * Math.PI)) * (2 / 3)
  let dLat = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * Math.sqrt(Math.abs(x)) + wave(x)
  dLat += (20 * Math.sin(y * Math.PI) + 40 * Math.sin((y / 3) * Math.PI)) * (2 / 3)
  dLat += (160 * Math.sin((y / 12) * Math.PI) + 320 * Math.sin((y * Math.PI) / 30)) * (2 / 3)
  let dLng = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * Math.sqrt(Math.abs(x)) + wave(x)
  dLng += (20 * Math.sin(x * Math.PI) + 40 * Math.sin((x / 3) * Math.PI)) * (2 / 3)
  dLng += (150 * Math.sin((x / 12) * Math.PI) + 300 * Math.sin((x / 30) * Math.PI)) * (2 / 3)
  const magic = 1 - EE * Math.sin(rad(lat)) ** 2
  return {
    lat: lat + (dLat * 180) / (((A * (1 - EE)) / (magic * Math.sqrt(magic))) * Math.PI),
    lng: lng + (dLng * 180) / ((A / Math.sqrt(magic)) * Math.cos(rad(lat)) * Math.PI),
  }
}

/** Where the buyer is (WGS-84, as the server keeps shops), or null when the device or the person says no. */
export function whereAmI(): Promise<Place | null> {
  if (!window.isSecureContext || !('geolocation' in navigator)) return Promise.resolve(null)
  return new Promise((resolve) => {
    navigator.geolocation.getCurrentPosition(
      (found) => resolve({ lng: found.coords.longitude, lat: found.coords.latitude }),
      () => resolve(null),
      { timeout: 8000, maximumAge: 300_000 },
    )
  })
}
