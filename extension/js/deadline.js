/** Waiting with an end: the browser may never answer (a page that hangs, a dialog that is open). */

/**
 * What `work` comes to, or `otherwise` when it fails or does not come in time.
 * @template T, U
 * @param {Promise<T>} work
 * @param {number} deadline_ms
 * @param {U} otherwise
 * @returns {Promise<T | U>}
 */
export async function within(work, deadline_ms, otherwise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Promise<U>} */
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, deadline_ms, otherwise);
  });
  return Promise.race([work.catch(() => otherwise), late]).finally(() => clearTimeout(timer));
}
