/** Polling: one request at a time, with longer pauses while requests fail, and none in a hidden tab unless wanted. */

const LONGEST_PAUSE = 30_000; // milliseconds

/** Change a pause by up to a tenth at random, so that several screens do not send their requests together. @param {number} pause */
export const about = (pause) => pause * (0.9 + Math.random() / 5);

/**
 * Poll until the page is closed; a response that arrives while stopped is ignored.
 * @template T
 * @param {() => Promise<T>} request
 * @param {(response: T) => void} onResponse
 * @param {(error: Error, failures: number, pause: number) => void} onFailure with the failures in a row
 * @param {{ every: (failures: number) => number, whileHidden?: boolean }} options `every` returns the pause
 */
export function poll(request, onResponse, onFailure, { every, whileHidden = false }) {
  let isBusy = false;
  let isStopped = false;
  let failures = 0;
  /** @type {number | undefined} */
  let timer;

  async function turn() {
    clearTimeout(timer);
    if (isBusy || isStopped || (document.hidden && !whileHidden)) return;
    isBusy = true;
    let pause;
    let report;
    try {
      const response = await request();
      failures = 0;
      report = () => onResponse(response);
    } catch (caught) {
      failures += 1;
      const error = caught instanceof Error ? caught : new Error(String(caught));
      const retryIn = Math.min(LONGEST_PAUSE, every(failures) * 2 ** failures) * (1 - Math.random() / 4);
      pause = retryIn;
      report = () => onFailure(error, failures, retryIn);
    }
    isBusy = false;
    if (isStopped) return;
    try {
      report();
    } finally {
      // Polling continues after an error in `onResponse`. The pause is computed last, because a response may change it.
      if (!isStopped) timer = setTimeout(turn, pause ?? every(failures));
    }
  }

  document.addEventListener("visibilitychange", turn);
  window.addEventListener("online", turn);
  turn();
  return {
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
    start() {
      isStopped = false;
      failures = 0;
      turn();
    },
  };
}
