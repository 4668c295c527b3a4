// After a failed request that changes something: did it surely not happen, or may it have happened?
import { ApiError } from '@kit/api/http'

/**
 * True when the server said no for certain. With `again`, earlier sends of the same request id had no answer: then a
 * refusal at the door (signed out, right taken away, too many requests) says nothing about what those sends did.
 */
export function isCertain(fault: unknown, again = false): fault is ApiError {
  if (!(fault instanceof ApiError) || fault.unknown || fault.status < 400 || fault.status >= 500) return false
  return !again || !([401, 403, 429].includes(fault.status) || /^(auth|core|http)\./.test(fault.code))
}
