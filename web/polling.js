/** Asking again and again: one question at a time, more slowly while it fails, in a hidden tab only if wanted. */

const AT_MOST = 30_000; // the longest pause between two tries

/**
 * The pause after a number of failures in a row: twice as long each time, and a little random,
 * so that all the screens of a cafe do not come back in the same moment.
 */
function pauseAfter(failures, every) {
  return Math.min(AT_MOST, every * 2 ** failures) * (1 - Math.random() / 4);
}

/** Change a pause by up to a tenth at random, so that several screens do not send their requests together. */
export const about = (pause) => pause * (0.9 + Math.random() / 5);

/**
 * Ask until the page is closed; an answer that comes while stopped is not shown.
 * `onFailure` gets the error, how many there were in a row, and the milliseconds to the next try.
 * `every` returns the pause after a number of failures in a row, mostly none; with `whileHidden`, a hidden tab polls, too.
 */
export function poll(ask, onAnswer, onFailure, { every, whileHidden = false }) {
  let asking = false;
  let stopped = false;
  let failures = 0;
  let timer;

  async function turn() {
    clearTimeout(timer);
    if (asking || stopped || (document.hidden && !whileHidden)) return;
    asking = true;
    let pause;
    let report;
    try {
      const answer = await ask();
      failures = 0;
      report = () => onAnswer(answer);
    } catch (error) {
      failures += 1;
      pause = pauseAfter(failures, every(failures));
      report = () => onFailure(error, failures, pause);
    }
    asking = false;
    if (stopped) return;
    try {
      report();
    } finally {
      // Polling goes on after an error in `onAnswer`. The pause is computed last, because a response may change it.
      if (!stopped) timer = setTimeout(turn, pause ?? every(failures));
    }
  }

  document.addEventListener("visibilitychange", turn);
  window.addEventListener("online", turn);
  turn();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
    start() {
      stopped = false;
      failures = 0;
      turn();
    },
  };
}
