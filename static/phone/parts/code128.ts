// Code 128 in set C (pairs of digits), as payment codes are printed on phones: ISO/IEC 15417. Pure.

const WIDTHS =
  '212222222122222221121223121322131222122213122312132212221213221312231212112232122132122231113222123122123221223211221132' +
  '221231213212223112312131311222321122321221312212322112322211212123212321232121111323131123131321112313132113132311211313' +
  '231113231311112133112331132131113123113321133121313121211331231131213113213311213131311123311321331121312113312311332111' +
  '314111221411431111111224111422121124121421141122141221112214112412122114122411142112142211241211221114413111241112134111' +
  '111242121142121241114212124112124211411212421112421211212141214121412121111143111341131141114113114311411113411311113141' +
  '114131311141411131211412211214211232'
const START_C = 105
const STOP = '2331112'
const QUIET = 10

const pattern = (value: number) => WIDTHS.slice(value * 6, value * 6 + 6)

/** The dark bars of an even number of digits, as an SVG path 60 units high, with quiet zones. */
export function bars(digits: string): { width: number; path: string } {
  if (!/^(\d\d)+$/.test(digits)) throw new RangeError('set C holds pairs of digits only')
  const values = [START_C, ...(digits.match(/\d\d/g) ?? []).map(Number)]
  const check = values.reduce((sum, value, place) => sum + value * Math.max(1, place), 0) % 103
  const widths = [...values, check].map(pattern).join('') + STOP
  let x = QUIET
  let path = ''
  ;[...widths].forEach((letter, n) => {
    const width = Number(letter)
    if (n % 2 === 0) path += `M${x} 0h${width}v60h-${width}z`
    x += width
  })
  return { width: x + QUIET, path }
}
